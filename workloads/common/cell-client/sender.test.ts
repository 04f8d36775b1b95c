import assert from 'node:assert/strict';
import { mock, test, type TestContext } from 'node:test';
import { Directory } from './directory.ts';
import { Sender, type Attempt, type Policy } from './sender.ts';
import { hashKey } from '../hash.ts';
import { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { BucketMap } from './buckets.ts';
import type { RingMember } from '../ring/ring.ts';

const KEY = 'user:u1';
const POLICY: Policy = { what: 'a test', idempotent: true };

/** A map that changes when told. */
class Followed {
  readonly directory = new Directory();
  readonly #listeners = new Set<() => void>();

  constructor() {
    const buckets = BucketMap.empty.with([[hashKey(KEY).bucket, 'a']]);
    const cell = {
      name: 'a',
      state: 'Enabled' as const,
      dataCenter: 'here',
      coordination: 'none',
      ring: null,
    };
    this.directory.apply({
      type: 'snapshot',
      mapVersion: 1,
      buckets: buckets.encode(),
      cells: [cell],
      exceptions: [],
    });
  }

  async ready(): Promise<void> {}

  changed(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const off = this.onChange(() => {
        clearTimeout(timer);
        off();
        resolve();
      });
      const timer = setTimeout(() => {
        off();
        resolve();
      }, withinMs);
    });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The cell is one member's from now on. */
  serve(name: string, session: string): void {
    const member: RingMember = {
      name,
      url: `http://${name}.test`,
      state: 'serving',
      tokens: 1,
      session,
      version: '1',
      pid: 1,
    };
    const version = (this.directory.cell('a')?.ring?.version ?? 0) + 1;
    this.directory.apply({ type: 'ring', cell: 'a', ring: { version, members: [member] } });
    for (const listener of this.#listeners) listener();
  }
}

/** Time stands still unless the test lets it go on. */
function open(t: TestContext): { map: Followed; sender: Sender; metrics: WorkloadMetrics } {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const map = new Followed();
  const metrics = new WorkloadMetrics('web');
  const sender = new Sender(map, 'token', async () => true, metrics);
  t.after(() => sender.close());
  return { map, sender, metrics };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('requests that wait go to a new owner at once, whatever the retries at the dead one cost', async (t) => {
  const { map, sender, metrics } = open(t);
  map.serve('a-0', '1');
  let alive = '';
  let askedInVain = 0;
  const attempt: Attempt<string> = async ({ node, url }) => {
    if (alive === `${url} ${map.directory.member('a', node)?.session}`) return { response: node };
    askedInVain++;
    return { verdict: { kind: 'later', waitMs: 0 }, why: 'connection refused' };
  };
  const requests = Array.from({ length: 400 }, () => sender.withOwner(KEY, POLICY, attempt));
  for (let n = 0; n < 20; n++) {
    await settle();
    mock.timers.tick(500);
  }
  await settle();
  assert.ok(askedInVain < 2_000, `the budget ends the retries: ${askedInVain}`);

  alive = 'http://a-1.test 2';
  map.serve('a-1', '2');
  const answers = await Promise.all(requests);
  assert.ok(answers.every(({ response }) => response === 'a-1'));
  const counted = async (result: string): Promise<number> => {
    const text = await metrics.registry.metrics();
    const line = `cellpost_web_retries_total{to="app-server",result="${result}"} `;
    return Number(
      text
        .split('\n')
        .find((one) => one.startsWith(line))
        ?.slice(line.length),
    );
  };
  // Every attempt but the first of each request.
  assert.equal(await counted('made'), askedInVain);
  assert.ok((await counted('held')) >= 400);
});

test('an owner that was started again on its address is another owner', async (t) => {
  const { map, sender } = open(t);
  map.serve('a-0', '1');
  const request = sender.withOwner(KEY, POLICY, async ({ node }) =>
    map.directory.member('a', node)?.session === '2'
      ? { response: node }
      : { verdict: { kind: 'later', waitMs: 1_000 }, why: 'it starts' },
  );
  await settle();
  map.serve('a-0', '2');
  assert.equal((await request).attempts, 2);
});

test('a change that comes while a server is asked is not waited for', async (t) => {
  const { map, sender } = open(t);
  map.serve('a-0', '1');
  const { response } = await sender.withOwner(KEY, POLICY, async ({ node }) => {
    if (node === 'a-1') return { response: node };
    map.serve('a-1', '1');
    return { verdict: { kind: 'unknown' }, why: 'the connection broke' };
  });
  assert.equal(response, 'a-1');
});

test('two servers that disagree with the map are not asked in circles', async (t) => {
  const { map, sender } = open(t);
  map.serve('a-0', '1');
  let asked = 0;
  const other = { name: 'a-9', url: 'http://a-9.test', ringVersion: 99 };
  const mine = { name: 'a-0', url: 'http://a-0.test', ringVersion: 99 };
  const request = sender.withOwner(KEY, { ...POLICY, deadlineMs: 100 }, async ({ node }) => {
    asked++;
    return { verdict: { kind: 'elsewhere', waitMs: 0, owner: node === 'a-0' ? other : mine }, why: '421' };
  });
  await settle();
  assert.ok(asked <= 3, `asked ${asked} times without a pause`);
  mock.timers.tick(60_000);
  mock.timers.reset();
  await assert.rejects(request, /was not answered in time/);
});
