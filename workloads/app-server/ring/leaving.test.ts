// Leaves and drains against the simulated coordination: what happens when, to the millisecond.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMember, NODES } from '../../common/ring/registry.ts';
import { LeaseLost, Misdirected } from '../log/user-log-errors.ts';
import { answer, Cell, KEYS, ownedBy } from './testing.ts';

test('who leaves hands over at once, and goes when its requests are over and the others have seen it', async () => {
  const cell = new Cell();
  const [a, b] = [cell.start('a'), cell.start('b')];
  await cell.serving(a, b);
  const key = ownedBy(a)[0] ?? '';
  let finish = () => {};
  const order: string[] = [];
  a.underWay = new Promise((resolve) => (finish = resolve));
  const left = a.membership.leave().then(() => order.push('left'));
  const redirect = answer(a, key);
  assert.ok(redirect instanceof Misdirected);
  assert.equal(redirect.owner?.name, 'b');
  assert.ok(redirect.retryAfterMs > 0);
  await cell.until(() => answer(b, key) === 'yes', 200);
  await cell.wait(500);
  assert.deepEqual(order, []);
  finish();
  await cell.until(() => order.length === 1, 200);
  await left;
  assert.equal(a.membership.state, 'closed');
  assert.equal(cell.coordination.read(`${NODES}/a`), undefined);
  await a.membership.leave();
  await a.membership.close();
});

test('who leaves tells the others, who own its keys before the ring shows it; who asks it is told where to go then', async () => {
  const cell = new Cell();
  const heard = Promise.withResolvers<void>();
  const tellLeft = async (_member: unknown, session: string) => {
    await heard.promise;
    b.membership.hasLeft(session);
  };
  const [a, b] = [cell.start('a', { tellLeft }), cell.start('b')];
  await cell.serving(a, b);
  const key = ownedBy(a)[0] ?? '';
  // It can't tell the ring any more.
  a.links.up.cut = true;
  let left = false;
  void a.membership.leave().then(() => (left = true));
  const redirect = answer(a, key);
  assert.ok(redirect instanceof Misdirected);
  assert.deepEqual([redirect.owner?.name, redirect.retryAfterMs], ['b', 0]);
  let told = false;
  void redirect.tellAfter?.().then(() => (told = true));
  await cell.wait(100);
  assert.notEqual(answer(b, key), 'yes');
  assert.equal(told, false);
  heard.resolve();
  await cell.until(() => answer(b, key) === 'yes', 10);
  await cell.until(() => told, 10);
  a.links.up.cut = false;
  await cell.until(() => left);
});

test('the ring shows a leave a moment later when all others have heard of it, and at once when one has not', async () => {
  const shownAfterMs = async (hears: boolean): Promise<number> => {
    const cell = new Cell();
    const tellLeft = async (_member: unknown, session: string) => {
      if (!hears) throw new Error('it is out of reach');
      b.membership.hasLeft(session);
    };
    const [a, b] = [cell.start('a', { tellLeft }), cell.start('b')];
    await cell.serving(a, b);
    const key = ownedBy(a)[0] ?? '';
    const from = cell.world.now;
    void a.membership.leave();
    await cell.until(() => answer(b, key) === 'yes', hears ? 30 : 100);
    await cell.until(() => {
      const node = cell.coordination.read(`${NODES}/a`);
      return node === undefined || decodeMember(node)?.state === 'draining';
    }, 300);
    return cell.world.now - from;
  };
  assert.ok((await shownAfterMs(true)) >= 80);
  assert.ok((await shownAfterMs(false)) < 80);
});

test('who is drained owns nothing, still tells clients who does, and takes part again when nobody ends it', async () => {
  const cell = new Cell();
  const [a, b] = [cell.start('a'), cell.start('b')];
  await cell.serving(a, b);
  const keys = ownedBy(a);
  const tenure = a.membership.tenure();
  const drained: string[] = [];
  void a.membership.drain(20_000).then(() => drained.push('a'));
  await cell.until(() => drained.length === 1);
  assert.deepEqual(ownedBy(b).length, KEYS.length);
  await cell.wait(10_000);
  assert.equal(a.membership.state, 'draining');
  const redirect = answer(a, keys[0] ?? '');
  assert.ok(redirect instanceof Misdirected);
  assert.equal(redirect.owner?.name, 'b');
  // Asked again, the time begins anew.
  void a.membership.drain(20_000).then(() => drained.push('again'));
  await cell.until(() => drained.length === 2);
  await cell.wait(15_000);
  assert.equal(a.membership.state, 'draining');
  await cell.wait(8_000);
  await cell.serving(a, b);
  assert.deepEqual(ownedBy(a), keys);
  assert.notDeepEqual(a.membership.tenure(), tenure);
});

test('who is drained may be asked back, and leaves at once when it ends', async () => {
  const cell = new Cell();
  const [a, b] = [cell.start('a'), cell.start('b')];
  await cell.serving(a, b);
  const drained: string[] = [];
  void a.membership.drain(20_000).then(() => drained.push('a'));
  await cell.until(() => drained.length === 1);
  a.membership.rejoin();
  await cell.serving(a, b);
  assert.ok(ownedBy(a).length > 0);
  void a.membership.drain(20_000);
  const left: string[] = [];
  void a.membership.leave().then(() => left.push('a'));
  await cell.until(() => left.length === 1);
  assert.equal(a.membership.state, 'closed');
  await cell.until(() => ownedBy(b).length === KEYS.length);
  await assert.rejects(a.membership.drain(20_000), LeaseLost);
});
