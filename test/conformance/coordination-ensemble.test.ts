// A real ZooKeeper of three servers whose leader is killed, again and again, under our sessions.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  CoordinationError,
  type CoordinationSession,
  type WatchEvent,
} from '../../workloads/common/coordination/coordination.ts';
import { openCoordination } from '../../workloads/common/coordination/open.ts';
import { startEnsemble, zooKeeperMissing, type Ensemble } from '../real/zookeeper.ts';
import { until } from '../support/wait.ts';

const SERVERS = 3;
const ROUNDS = 3;
/** Longer than an election on a machine that does much else: the ensemble counts no time while it has no leader. */
const TIMEOUT_MS = 10_000;
const WAIT = { timeoutMs: 60_000, intervalMs: 20 };
const START_DEADLINE_MS = 180_000;

const encode = (value: string): Uint8Array => new TextEncoder().encode(value);
const decode = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

/** A counter that one session raises; what it was told tells what must be there. */
class Counter {
  readonly #session: CoordinationSession;
  readonly #path: string;
  acknowledged = 0;
  tried = 0;

  constructor(session: CoordinationSession, path: string) {
    this.#session = session;
    this.#path = path;
  }

  async raise(): Promise<boolean> {
    const next = ++this.tried;
    try {
      await this.#session.set(this.#path, encode(String(next)));
      this.acknowledged = next;
      return true;
    } catch (error) {
      if (error instanceof CoordinationError && ['connection-loss', 'timeout'].includes(error.code))
        return false;
      throw error;
    }
  }
}

const skip = await zooKeeperMissing();
describe('a ZooKeeper whose leader dies', skip === undefined ? {} : { skip }, () => {
  let ensemble: Ensemble;
  // One at a time: the native client of many sessions in one process does not bear their losing a server all at once.
  const sessions: CoordinationSession[] = [];
  const open = async (): Promise<CoordinationSession> => {
    const session = await openCoordination(ensemble.url('/cell'), { timeoutMs: TIMEOUT_MS });
    sessions.push(session);
    return session;
  };

  before(
    async () => {
      ensemble = await startEnsemble(SERVERS);
    },
    { timeout: START_DEADLINE_MS },
  );
  after(async () => {
    for (const session of sessions.splice(0)) await session.close();
    await ensemble?.close();
  });

  test('keeps a session, its nodes and watches, and every write that it has acknowledged', async () => {
    const session = await open();
    await session.create('/counter', encode('0'));
    await session.create('/owned', encode('mine'), { ephemeral: true });
    const { sessionId } = session;
    const counter = new Counter(session, '/counter');
    let lastZxid = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const seen: WatchEvent[] = [];
      await session.get('/owned', (event) => seen.push(event));
      await session.get(`/round-${round}`, (event) => seen.push(event));
      for (let index = 0; index < 5; index++) assert.ok(await counter.raise());
      const leader = await ensemble.leader();
      // Writes are under way while it dies.
      const killed = new AbortController();
      const writing = (async () => {
        while (!killed.signal.aborted) await counter.raise();
      })();
      await ensemble.kill(leader);
      killed.abort();
      await writing;
      await until(() => counter.raise(), { ...WAIT, what: 'a write after the leader was killed' });
      assert.notEqual(await ensemble.leader(), leader);
      const found = await until(() => readThrough(session, '/counter'), { ...WAIT, what: 'a read' });
      assert.equal(decode(found.data), String(counter.acknowledged));
      assert.ok(found.stat.mzxid > lastZxid, 'time went back');
      lastZxid = found.stat.mzxid;
      const owned = await until(() => readThrough(session, '/owned'), { ...WAIT, what: 'the owned node' });
      assert.equal(owned.stat.ephemeralOwner, sessionId);
      await until(() => create(session, `/round-${round}`), { ...WAIT, what: 'a new node' });
      await until(() => seen.length > 0, { ...WAIT, what: 'the watch that was set before the kill' });
      assert.deepEqual(seen, [{ type: 'created', path: `/round-${round}` }]);
      await ensemble.restart(leader);
      assert.equal(session.sessionId, sessionId);
    }
    await session.close();
  });

  test('answers nobody without a majority, ends no session by that, and goes on with one', async () => {
    const session = await open();
    await session.create('/survivor', encode('x'), { ephemeral: true });
    const leader = await ensemble.leader();
    const follower = (leader + 1) % SERVERS;
    await ensemble.kill(follower);
    await ensemble.kill(leader);
    await assert.rejects(
      session.set('/survivor', encode('y')),
      (error) => error instanceof CoordinationError && ['connection-loss', 'timeout'].includes(error.code),
    );
    await ensemble.restart(follower);
    await until(() => readThrough(session, '/survivor'), { ...WAIT, what: 'a read by a new majority' });
    assert.equal(session.state, 'connected');
    const other = await open();
    assert.equal((await other.get('/survivor'))?.stat.ephemeralOwner, session.sessionId);
    await ensemble.restart(leader);
    await session.close();
    await until(async () => (await other.get('/survivor')) === undefined, {
      ...WAIT,
      what: 'its node to go',
    });
  });
});

/** @returns undefined while there is no connection */
async function readThrough(session: CoordinationSession, path: string) {
  try {
    return await session.get(path);
  } catch (error) {
    if (error instanceof CoordinationError && ['connection-loss', 'timeout'].includes(error.code))
      return undefined;
    throw error;
  }
}

/** @returns whether it is there: an answer may have been lost */
async function create(session: CoordinationSession, path: string): Promise<boolean> {
  try {
    await session.create(path, encode('x'));
    return true;
  } catch (error) {
    if (!(error instanceof CoordinationError)) throw error;
    return error.code === 'node-exists';
  }
}
