// Memberships against the simulated coordination: what happens when, to the millisecond.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimCoordination } from '../../../test/simulation/coordination-server.ts';
import { SimSession } from '../../../test/simulation/coordination-session.ts';
import { Link } from '../../../test/simulation/link.ts';
import { SimProcess } from '../../../test/simulation/process.ts';
import { Random } from '../../../test/simulation/random.ts';
import { World } from '../../../test/simulation/world.ts';
import type { CoordinationSession } from '../../common/coordination/coordination.ts';
import { decodeMember, NODES } from '../../common/ring/registry.ts';
import { LeaseLost, Misdirected } from '../log/user-log-errors.ts';
import { Membership, type MembershipOptions } from './membership.ts';

const TIMEOUT_MS = 2_000;
const KEYS = Array.from({ length: 200 }, (_, index) => `user:u${index}`);

type Server = {
  name: string;
  membership: Membership;
  process: SimProcess;
  links: { up: Link; down: Link };
  /** What a release waits for. */
  underWay: Promise<void>;
  losses: number;
};

class Cell {
  readonly world = new World();
  readonly coordination = new SimCoordination(this.world);
  readonly #random = new Random('cell');
  #starts = 0;

  /** @param onSession gets each session that it opens */
  start(
    name: string,
    more: Partial<MembershipOptions> = {},
    onSession: (session: CoordinationSession) => void = () => {},
  ): Server {
    const { world, coordination } = this;
    const random = this.#random.fork(name);
    const process = new SimProcess(world, name, random);
    const links = {
      up: new Link(world, `${name} up`, random),
      down: new Link(world, `${name} down`, random),
    };
    const server: Server = {
      name,
      process,
      links,
      underWay: Promise.resolve(),
      losses: 0,
      membership: new Membership({
        clock: process.clock,
        openSession: (signal) => {
          const session = new SimSession(process, coordination, links, TIMEOUT_MS);
          onSession(session);
          return new Promise((resolve, reject) => {
            session.onState((state) => state === 'connected' && resolve(session));
            signal.addEventListener('abort', () => reject(signal.reason));
          });
        },
        identity: { name, url: `http://${name}`, tokens: 64, version: 'test', pid: 1 },
        instance: String(++this.#starts),
        release: () => server.underWay,
        onLoss: () => server.losses++,
        ...more,
      }),
    };
    void server.membership.join();
    return server;
  }

  /** @throws when it has not come true after so long */
  async until(condition: () => boolean, atMostMs = 60_000): Promise<void> {
    const deadline = this.world.now + atMostMs;
    await this.world.run(() => condition() || this.world.now > deadline);
    if (!condition()) throw new Error(`not so after ${atMostMs} ms: ${condition}`);
  }

  async serving(...servers: Server[]): Promise<void> {
    await this.until(() =>
      servers.every(
        ({ membership }) => membership.isReady() && membership.view.members.length === servers.length,
      ),
    );
    await this.wait(100);
  }

  async wait(ms: number): Promise<void> {
    const end = this.world.now + ms;
    this.world.after(ms, 'waited', () => {});
    await this.world.run(() => this.world.now >= end);
  }
}

function answer(server: Server, key: string): 'yes' | Misdirected | LeaseLost {
  try {
    server.membership.assertOwner(key);
    return 'yes';
  } catch (error) {
    assert.ok(error instanceof Misdirected || error instanceof LeaseLost);
    return error;
  }
}

const ownedBy = (server: Server) => KEYS.filter((key) => answer(server, key) === 'yes');

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
