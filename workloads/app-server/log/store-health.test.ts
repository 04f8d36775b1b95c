import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { until } from '../../../test/support/wait.ts';
import { StoreUnavailable, type LogStore } from './log-store.ts';
import { MemoryStore } from './memory-store.ts';
import { StoreHealth } from './store-health.ts';

const TIMES = { probeEveryMs: 20, brokenAfterMs: 300 };
const WAIT = { timeoutMs: 5_000, what: 'the verdict' };

let closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
  closers = [];
});

/** A store whose reads fail, or hang, as it is told. */
function steered(): { store: LogStore; become(state: 'well' | 'failing' | 'hanging'): void } {
  const store = new MemoryStore();
  const read = store.read.bind(store);
  let waiting: (() => void)[] = [];
  let state = 'well';
  store.read = async (...args) => {
    if (state === 'failing') throw new StoreUnavailable('the disk is gone');
    if (state === 'hanging') await new Promise<void>((resolve) => waiting.push(resolve));
    return await read(...args);
  };
  return {
    store,
    become(next) {
      state = next;
      for (const resolve of waiting) resolve();
      waiting = [];
    },
  };
}

function watch(store: LogStore): StoreHealth {
  const health = new StoreHealth(store, TIMES);
  closers.push(() => health.close());
  return health;
}

for (const [state, verdict] of [
  ['failing', /can't be read: the disk is gone/],
  ['hanging', /does not answer/],
] as const)
  test(`a store that is ${state} for a while is not ready, until it is well again`, async () => {
    const { store, become } = steered();
    const health = watch(store);
    assert.equal(health.ready(), true);
    become(state);
    await until(() => health.ready() !== true, WAIT);
    assert.match(String(health.ready()), verdict);
    become('well');
    await until(() => health.ready() === true, WAIT);
  });

test('a store that takes no entries for a while is not ready, until it takes one or nobody tries any more', async () => {
  const health = watch(new MemoryStore());
  const fails = async (): Promise<void> => {
    await until(() => {
      health.appended(new StoreUnavailable('the disk is full'));
      return health.ready() !== true;
    }, WAIT);
    assert.match(String(health.ready()), /takes no entries: the disk is full/);
  };
  await fails();
  health.appended(undefined);
  assert.equal(health.ready(), true);
  await fails();
  await until(() => health.ready() === true, WAIT);
});
