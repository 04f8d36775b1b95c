// Memberships against the simulated coordination: what happens when, to the millisecond.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimSession } from '../../../test/simulation/coordination-session.ts';
import { Link } from '../../../test/simulation/link.ts';
import { SimProcess } from '../../../test/simulation/process.ts';
import { Random } from '../../../test/simulation/random.ts';
import type { CoordinationSession } from '../../common/coordination/coordination.ts';
import { NODES } from '../../common/ring/registry.ts';
import { LeaseLost, Misdirected } from '../log/user-log-errors.ts';
import type { MembershipOptions } from './membership.ts';
import { answer, Cell, KEYS, ownedBy, TIMEOUT_MS } from './testing.ts';

test('one server alone owns everything, several share it and name each other', async () => {
  const cell = new Cell();
  const a = cell.start('a');
  await cell.serving(a);
  assert.equal(ownedBy(a).length, KEYS.length);
  const [b, c] = [cell.start('b'), cell.start('c')];
  await cell.serving(a, b, c);
  const shares = [a, b, c].map(ownedBy);
  assert.deepEqual(shares.flat().sort(), [...KEYS].sort());
  assert.ok(shares.every((share) => share.length > 30));
  const redirect = answer(a, shares[1]?.[0] ?? '');
  assert.ok(redirect instanceof Misdirected);
  assert.equal(redirect.owner?.url, 'http://b');
  assert.equal(redirect.retryAfterMs, 0);
  assert.equal(redirect.ringVersion, b.membership.ringVersion);
});

test('all may start at once', async () => {
  const cell = new Cell();
  await cell.serving(...['a', 'b', 'c', 'd', 'e'].map((name) => cell.start(name)));
});

test('a newcomer serves only when the owners have finished what is under way, and they refuse meanwhile', async () => {
  const cell = new Cell();
  const a = cell.start('a');
  await cell.serving(a);
  let finish = () => {};
  a.underWay = new Promise((resolve) => (finish = resolve));
  const b = cell.start('b');
  await cell.until(() => a.membership.view.members.length === 2);
  await cell.wait(1_000);
  assert.equal(b.membership.state, 'joining');
  const moving = KEYS.filter((key) => answer(a, key) !== 'yes');
  assert.ok(moving.length > 50);
  const redirect = answer(a, moving[0] ?? '');
  assert.ok(redirect instanceof Misdirected);
  assert.equal(redirect.owner?.name, 'b');
  assert.ok(redirect.retryAfterMs > 0);
  finish();
  await cell.serving(a, b);
  assert.deepEqual(ownedBy(b), moving);
});

test('who may lose keys to another is told before that one serves; whose neighbour goes is not', async () => {
  const cell = new Cell();
  const [a, b] = [cell.start('a'), cell.start('b')];
  await cell.serving(a, b);
  const before = a.losses;
  const c = cell.start('c');
  await cell.until(() => a.losses > before);
  assert.notEqual(c.membership.state, 'serving');
  await cell.serving(a, b, c);
  assert.equal(a.losses, before + 1);
  b.process.kill();
  await cell.serving(a, c);
  assert.equal(a.losses, before + 1);
  const left = a.membership.leave();
  assert.ok(a.losses > before + 1);
  await cell.until(() => c.membership.view.members.length === 1);
  await left;
});

test('an owner whose store hangs holds a newcomer up for seconds only', async () => {
  const cell = new Cell();
  const a = cell.start('a');
  await cell.serving(a);
  a.underWay = new Promise(() => {});
  const b = cell.start('b');
  const from = cell.world.now;
  await cell.serving(a, b);
  assert.ok(cell.world.now - from > 2_500);
  assert.ok(cell.world.now - from < 5_000);
});

test('an owner that dies while it lets go holds a newcomer up until its session ends', async () => {
  const cell = new Cell();
  const [a, b] = [cell.start('a'), cell.start('b')];
  await cell.serving(a, b);
  a.underWay = new Promise(() => {});
  const c = cell.start('c');
  await cell.until(() => a.membership.view.members.length === 3);
  a.process.kill();
  const from = cell.world.now;
  await cell.serving(b, c);
  assert.ok(cell.world.now - from < TIMEOUT_MS + 1_000);
  assert.equal(ownedBy(b).length + ownedBy(c).length, KEYS.length);
});

test('a newcomer that dies half-way gives back what it was to get', async () => {
  const cell = new Cell();
  const a = cell.start('a');
  await cell.serving(a);
  a.underWay = new Promise(() => {});
  const b = cell.start('b');
  await cell.until(() => a.membership.view.members.length === 2);
  b.process.kill();
  a.underWay = Promise.resolve();
  await cell.serving(a);
  assert.equal(ownedBy(a).length, KEYS.length);
});

test('a server that does not hear from its coordination answers nothing before anybody takes over', async () => {
  const cell = new Cell();
  const [a, b] = [cell.start('a'), cell.start('b')];
  await cell.serving(a, b);
  const key = ownedBy(a)[0] ?? '';
  a.links.up.cut = a.links.down.cut = true;
  const from = cell.world.now;
  await cell.until(() => answer(a, key) instanceof LeaseLost);
  const silentAt = cell.world.now;
  assert.ok(silentAt - from < TIMEOUT_MS * 0.7);
  assert.equal(a.membership.isReady(), false);
  assert.ok(answer(b, key) instanceof Misdirected);
  await cell.until(() => answer(b, key) === 'yes');
  assert.ok(cell.world.now - silentAt > TIMEOUT_MS * 0.25);
  a.links.up.cut = a.links.down.cut = false;
  const before = a.membership.tenure();
  await cell.serving(a, b);
  assert.equal(answer(a, key), 'yes');
  assert.notDeepEqual(a.membership.tenure(), before);
});

test('a coordination that is back in time costs a pause, not the session', async () => {
  const cell = new Cell();
  const a = cell.start('a');
  await cell.serving(a);
  const tenure = a.membership.tenure();
  cell.coordination.setDown(true);
  await cell.wait(TIMEOUT_MS * 0.7);
  assert.ok(answer(a, 'user:u1') instanceof LeaseLost);
  cell.coordination.setDown(false);
  await cell.serving(a);
  assert.deepEqual(a.membership.tenure(), tenure);
});

test('a restarted server waits for the end of its earlier session and takes its old keys', async () => {
  const cell = new Cell();
  const [a, b] = [cell.start('a'), cell.start('b')];
  await cell.serving(a, b);
  const keys = ownedBy(a);
  a.process.kill();
  const again = cell.start('a');
  const from = cell.world.now;
  await cell.until(() => again.membership.isReady());
  assert.ok(cell.world.now - from > TIMEOUT_MS / 2);
  await cell.serving(again, b);
  assert.deepEqual(ownedBy(again), keys);
});

test('a newcomer is let in when it is prepared, and who serves goes on until then', async () => {
  const cell = new Cell();
  const ready = Promise.withResolvers<void>();
  const asked: string[] = [];
  const prepare: MembershipOptions['prepare'] = async (newcomers) => {
    asked.push(...newcomers.map(({ name }) => name));
    await ready.promise;
  };
  const a = cell.start('a', { prepare });
  await cell.serving(a);
  const b = cell.start('b');
  await cell.until(() => asked.length > 0, 1_000);
  await cell.wait(500);
  assert.equal(ownedBy(a).length, KEYS.length);
  assert.equal(b.membership.isReady(), false);
  ready.resolve();
  await cell.serving(a, b);
  assert.deepEqual(asked, ['b']);
  assert.ok(ownedBy(b).length > 0);
});

test('a newcomer that does not get ready is let in all the same', async () => {
  const cell = new Cell();
  const a = cell.start('a', { prepare: () => new Promise(() => {}) });
  await cell.serving(a);
  const b = cell.start('b');
  await cell.until(() => b.membership.isReady(), 3_000);
  await cell.serving(a, b);
});

test('a wrong time of day changes nothing on the ring', async () => {
  const cell = new Cell();
  const [a, b] = [cell.start('a'), cell.start('b')];
  await cell.serving(a, b);
  const [keys, tenure] = [ownedBy(a), a.membership.tenure()];
  for (const hours of [5, -10, 24]) {
    a.process.jump(hours * 3_600_000);
    await cell.wait(TIMEOUT_MS);
    assert.deepEqual(ownedBy(a), keys);
    assert.deepEqual(a.membership.tenure(), tenure);
  }
});

test('a member whose node somebody removes joins anew', async () => {
  const cell = new Cell();
  const a = cell.start('a');
  await cell.serving(a);
  const tenure = a.membership.tenure();
  const admin = new SimSession(
    new SimProcess(cell.world, 'admin', new Random('admin')),
    cell.coordination,
    { up: new Link(cell.world, 'up', new Random('1')), down: new Link(cell.world, 'down', new Random('2')) },
    TIMEOUT_MS,
  );
  await cell.until(() => admin.state === 'connected');
  void admin.delete(`${NODES}/a`);
  await cell.until(() => answer(a, 'user:u1') instanceof LeaseLost);
  await cell.serving(a);
  assert.notDeepEqual(a.membership.tenure(), tenure);
});

test('a membership that is closed while it joins ends', async () => {
  const cell = new Cell();
  cell.coordination.setDown(true);
  const a = cell.start('a');
  await cell.wait(300);
  const done: string[] = [];
  void a.membership.join().then(() => done.push('joined'));
  void a.membership.close().then(() => done.push('closed'));
  await cell.until(() => done.length === 2, 1_000);
  assert.ok(answer(a, 'user:u1') instanceof LeaseLost);
});

test('the keys of a server that is killed are served by the others in under three seconds', async () => {
  const cell = new Cell();
  const servers = ['a', 'b', 'c', 'd'].map((name) => cell.start(name));
  await cell.serving(...servers);
  const [a, ...others] = servers;
  assert.ok(a);
  const keys = ownedBy(a);
  const from = cell.world.now;
  a.process.kill();
  await cell.until(() => keys.every((key) => others.some((other) => answer(other, key) === 'yes')));
  assert.ok(cell.world.now - from < 3_000);
  const heirs = others.filter((other) => keys.some((key) => answer(other, key) === 'yes'));
  assert.equal(heirs.length, 3, 'the load spreads over all');
});

test('a session that is over and can not be put away makes the server ill; a coordination that is away does not', async () => {
  const cell = new Cell();
  let stuck: CoordinationSession | undefined;
  const a = cell.start('a', {}, (session) => {
    if (!stuck) session.close = () => new Promise(() => undefined);
    stuck ??= session;
  });
  await cell.serving(a);
  await cell.wait(120_000);
  assert.equal(a.membership.health(), true);
  a.links.up.cut = a.links.down.cut = true;
  await cell.wait(120_000);
  assert.equal(a.membership.health(), true);
  a.links.up.cut = a.links.down.cut = false;
  await cell.wait(90_000);
  assert.match(
    String(a.membership.health()),
    /^ending a lost session of the ring has not gone on for \d+ s$/,
  );
});
