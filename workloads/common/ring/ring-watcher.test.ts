import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startCoordinator, type Coordinator } from '../../../embedded/coordinator.ts';
import { until } from '../../../test/support/wait.ts';
import { openCoordination } from '../coordination/open.ts';
import { encodeMember, NODES } from './registry.ts';
import { watchRing } from './ring-watcher.ts';
import type { RingMember, RingView } from './ring.ts';

let folder: string;
let coordinator: Coordinator;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ring-'));
  coordinator = await startCoordinator({
    socketPath: join(folder, 'c.sock'),
    dataFile: join(folder, 'c.db'),
  });
});
after(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true, force: true });
});

function member(name: string, state: RingMember['state']): Uint8Array {
  return encodeMember({
    name,
    url: 'http://127.0.0.1:1',
    state,
    tokens: 64,
    session: '1',
    version: 'test',
    pid: 1,
  });
}
const shape = (view: RingView | undefined): string =>
  (view?.members ?? []).map(({ name, state }) => `${name} ${state}`).join(', ');

test('every view is one that the cell had, versions rise, and the last one comes', async () => {
  const writer = await openCoordination(coordinator.url('/one'), { timeoutMs: 1_000 });
  const reader = await openCoordination(coordinator.url('/one'), { timeoutMs: 1_000 });
  const views: RingView[] = [];
  const watcher = watchRing(reader, (view) => views.push(view));
  await writer.create(NODES, new Uint8Array());
  await until(() => watcher.view !== undefined, { timeoutMs: 5_000 });
  // Two members change state in turn, never both at once: 'serving, serving' is never to be seen.
  await writer.create(`${NODES}/a`, member('a', 'joining'), { ephemeral: true });
  await writer.create(`${NODES}/b`, member('b', 'joining'), { ephemeral: true });
  await writer.create(`${NODES}/junk`, new TextEncoder().encode('{}'));
  for (let i = 0; i < 100; i++) {
    const name = i % 2 === 0 ? 'a' : 'b';
    await writer.set(`${NODES}/${name}`, member(name, 'serving'));
    await writer.set(`${NODES}/${name}`, member(name, 'joining'));
  }
  await writer.set(`${NODES}/a`, member('a', 'draining'));
  await until(() => shape(watcher.view) === 'a draining, b joining', { timeoutMs: 5_000 });
  for (const [i, view] of views.entries()) {
    assert.ok(view.members.filter(({ state }) => state === 'serving').length <= 1, shape(view));
    assert.ok(i === 0 || view.version > (views[i - 1]?.version ?? 0));
  }
  await writer.close();
  await until(() => shape(watcher.view) === '', { timeoutMs: 5_000 });
  assert.equal(watcher.current, true);
  await reader.close();
  assert.equal(watcher.current, false);
});
