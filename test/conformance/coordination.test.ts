// One suite for every implementation of CoordinationSession: the embedded coordinator and a real ZooKeeper.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import {
  CoordinationError,
  type CoordinationErrorCode,
  type CoordinationSession,
  type SessionState,
  type WatchEvent,
} from '../../workloads/common/coordination/coordination.ts';
import { MAX_DATA_BYTES } from '../../workloads/common/coordination/limits.ts';
import { openCoordination } from '../../workloads/common/coordination/open.ts';
import { until } from '../support/wait.ts';
import { type CoordinationServer, said, SERVERS, startTalker, type Talker } from './coordination-servers.ts';

/** Beyond a session's timeout, on a machine that does much else. */
const MARGIN_MS = 10_000;
const WAIT = { timeoutMs: 20_000, intervalMs: 5 };

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

async function throwsCode(work: Promise<unknown>, code: CoordinationErrorCode): Promise<CoordinationError> {
  let caught: unknown;
  await assert.rejects(work, (error) => {
    caught = error;
    return error instanceof CoordinationError && error.code === code;
  });
  assert.ok(caught instanceof CoordinationError);
  return caught;
}

for (const { name, start: startServer, missing } of SERVERS) {
  const skip = await missing();
  describe(name, skip === undefined ? {} : { skip }, () => {
    let server: CoordinationServer;
    let chroots = 0;
    let chroot = '';
    const sessions: CoordinationSession[] = [];
    const talkers: Talker[] = [];

    const open = async (where = chroot): Promise<CoordinationSession> => {
      const session = await openCoordination(server.url(where), { timeoutMs: server.timeoutMs });
      sessions.push(session);
      return session;
    };
    const startOwner = async (path: string): Promise<Talker> => {
      const owner = startTalker(['owner', server.url(chroot), String(server.timeoutMs), path]);
      talkers.push(owner);
      await said(owner, 'ready');
      return owner;
    };
    const inState = (session: CoordinationSession, state: SessionState): Promise<unknown> =>
      until(() => session.state === state, { ...WAIT, what: `the state ${state}` });

    before(async () => {
      server = await startServer();
    });
    after(async () => {
      await server.close();
    });
    const nextChroot = (): string => `/suite/${++chroots}`;
    const fresh = async (): Promise<CoordinationSession> => {
      chroot = nextChroot();
      return open();
    };
    afterEach(async () => {
      await Promise.all(talkers.splice(0).map((talker) => talker.kill()));
      for (const session of sessions.splice(0)) await session.close();
    });

    test('a node is created, read, changed and deleted, and its numbers tell of it', async () => {
      const session = await fresh();
      assert.equal(await session.get('/a'), undefined);
      await session.create('/a', bytes('one'));
      const first = await session.get('/a');
      assert.equal(textOf(first?.data), 'one');
      assert.equal(first?.stat.version, 0);
      assert.equal(first.stat.ephemeralOwner, '0');
      assert.equal(first.stat.czxid, first.stat.mzxid);
      const stat = await session.set('/a', bytes('two'));
      assert.equal(stat.version, 1);
      assert.ok(stat.mzxid > first.stat.mzxid);
      assert.equal(stat.czxid, first.stat.czxid);
      assert.equal(textOf((await session.get('/a'))?.data), 'two');
      await session.create('/a/b', bytes(''));
      const second = await session.get('/a');
      assert.ok((second?.stat.pzxid ?? 0) > stat.mzxid);
      assert.equal(second?.stat.mzxid, stat.mzxid);
      assert.equal((await session.get('/a/b'))?.data.length, 0);
      await session.delete('/a/b');
      await session.delete('/a');
      assert.equal(await session.get('/a'), undefined);
    });

    test('transaction numbers rise through all changes of all sessions', async () => {
      const one = await fresh();
      const two = await open();
      let last = 0;
      for (let i = 0; i < 10; i++) {
        const session = i % 2 === 0 ? one : two;
        await session.create(`/n${i}`, bytes('x'));
        const czxid = (await session.get(`/n${i}`))?.stat.czxid ?? 0;
        assert.ok(czxid > last);
        last = czxid;
      }
    });

    test('what can not be done is refused with its code', async () => {
      const session = await fresh();
      await session.create('/a', bytes('x'));
      await session.create('/a/b', bytes('x'));
      await throwsCode(session.create('/a', bytes('y')), 'node-exists');
      await throwsCode(session.create('/missing/b', bytes('y')), 'no-node');
      await throwsCode(session.set('/missing', bytes('y')), 'no-node');
      await throwsCode(session.delete('/missing'), 'no-node');
      await throwsCode(session.delete('/a'), 'not-empty');
      assert.equal(await session.children('/missing'), undefined);
      await session.create('/e', bytes('x'), { ephemeral: true });
      await throwsCode(session.create('/e/child', bytes('x')), 'rejected');
      for (const path of ['', 'a', '/a/', '//a', '/a/../b', '/a\0b'])
        await throwsCode(session.get(path), 'rejected');
    });

    test('a conditional set or delete holds only at its version', async () => {
      const session = await fresh();
      await session.create('/a', bytes('0'));
      await throwsCode(session.set('/a', bytes('1'), 1), 'bad-version');
      assert.equal((await session.set('/a', bytes('1'), 0)).version, 1);
      await throwsCode(session.delete('/a', 0), 'bad-version');
      await session.delete('/a', 1);
    });

    test('of many that change a node on the same condition one wins', async () => {
      const first = await fresh();
      const all = [first, await open(), await open()];
      await first.create('/counter', bytes('0'));
      const add = async (session: CoordinationSession): Promise<void> => {
        for (;;) {
          const node = await session.get('/counter');
          const next = bytes(String(Number(textOf(node?.data)) + 1));
          try {
            await session.set('/counter', next, node?.stat.version);
            return;
          } catch (error) {
            if (!(error instanceof CoordinationError && error.code === 'bad-version')) throw error;
          }
        }
      };
      await Promise.all(all.flatMap((session) => Array.from({ length: 10 }, () => add(session))));
      assert.equal(textOf((await first.get('/counter'))?.data), '30');
    });

    test('an ephemeral node belongs to its session and vanishes when that closes', async () => {
      const watcher = await fresh();
      const owner = await open();
      assert.match(owner.sessionId, /^[0-9a-f]+$/);
      await owner.create('/e', bytes('x'), { ephemeral: true });
      assert.equal((await watcher.get('/e'))?.stat.ephemeralOwner, owner.sessionId);
      const gone = new Promise<WatchEvent>((resolve) => void watcher.get('/e', resolve));
      await watcher.get('/e');
      await owner.close();
      assert.deepEqual(await gone, { type: 'deleted', path: '/e' });
      assert.equal(owner.state, 'closed');
      await throwsCode(owner.get('/e'), 'closed');
      await owner.close();
    });

    test('an ephemeral node whose owner is killed vanishes within the timeout, not before half of it', async () => {
      const watcher = await fresh();
      const owner = await startOwner('/e');
      const gone = new Promise<WatchEvent>((resolve) => void watcher.get('/e', resolve));
      assert.ok(await watcher.get('/e'));
      const start = performance.now();
      await owner.kill();
      assert.equal((await gone).type, 'deleted');
      const tookMs = performance.now() - start;
      assert.ok(tookMs > server.timeoutMs / 2, `${tookMs} ms`);
      assert.ok(tookMs < server.timeoutMs + MARGIN_MS, `${tookMs} ms`);
    });

    test('a watch on data fires once, and the client sees it before the new data', async () => {
      const session = await fresh();
      const writer = await open();
      await session.create('/a', bytes('0'));
      const seen: string[] = [];
      await session.get('/a', (event) => seen.push(`${event.type} ${event.path}`));
      await writer.set('/a', bytes('1'));
      await until(
        async () => {
          const data = textOf((await session.get('/a'))?.data);
          if (data === '1') assert.deepEqual(seen, ['changed /a']);
          return data === '1';
        },
        { ...WAIT, what: 'the new data' },
      );
      await writer.set('/a', bytes('2'));
      await writer.delete('/a');
      await until(async () => (await session.get('/a')) === undefined, WAIT);
      assert.deepEqual(seen, ['changed /a']);
    });

    test('the writer itself sees its watch fire before its write is answered', async () => {
      const session = await fresh();
      await session.create('/a', bytes('0'));
      const order: string[] = [];
      await session.get('/a', () => order.push('event'));
      await session.set('/a', bytes('1')).then(() => order.push('answer'));
      assert.deepEqual(order, ['event', 'answer']);
    });

    test('a watch on a node that is not there waits for its creation', async () => {
      const session = await fresh();
      const created = new Promise<WatchEvent>((resolve) => void session.get('/later', resolve));
      await session.get('/later');
      await (await open()).create('/later', bytes('x'));
      assert.deepEqual(await created, { type: 'created', path: '/later' });
    });

    test('a watch on children fires for a new one, a lost one and the end of the node itself', async () => {
      const session = await fresh();
      const writer = await open();
      await session.create('/dir', bytes(''));
      const step = async (work: () => Promise<unknown>): Promise<WatchEvent> => {
        const { promise, resolve } = Promise.withResolvers<WatchEvent>();
        await session.children('/dir', resolve);
        await work();
        return promise;
      };
      assert.deepEqual(await step(() => writer.create('/dir/b', bytes(''))), {
        type: 'children',
        path: '/dir',
      });
      await step(() => writer.create('/dir/a', bytes('')));
      assert.deepEqual((await session.children('/dir'))?.names, ['a', 'b']);
      assert.equal((await step(() => writer.delete('/dir/a'))).type, 'children');
      await step(() => writer.delete('/dir/b'));
      assert.equal((await step(() => writer.delete('/dir'))).type, 'deleted');
    });

    test('the change of a child is none of the children', async () => {
      const session = await fresh();
      await session.create('/dir', bytes(''));
      await session.create('/dir/a', bytes('0'));
      let fired = 0;
      await session.children('/dir', () => fired++);
      await session.set('/dir/a', bytes('1'));
      await session.get('/dir/a');
      assert.equal(fired, 0);
    });

    test('two watchers of a node are both told, one watcher given twice is told once', async () => {
      const session = await fresh();
      await session.create('/a', bytes('0'));
      const seen: string[] = [];
      const one = (): number => seen.push('one');
      await session.get('/a', one);
      await session.get('/a', one);
      await session.get('/a', () => seen.push('two'));
      await session.set('/a', bytes('1'));
      await session.get('/a');
      assert.deepEqual(seen.sort(), ['one', 'two']);
    });

    test('a thousand nodes are written and listed', async () => {
      const session = await fresh();
      await session.create('/many', bytes(''));
      const names = Array.from({ length: 1000 }, (_, i) => `node-${String(i).padStart(4, '0')}`);
      for (let i = 0; i < names.length; i += 100) {
        await Promise.all(names.slice(i, i + 100).map((one) => session.create(`/many/${one}`, bytes(one))));
      }
      assert.deepEqual((await session.children('/many'))?.names, names);
      assert.equal(textOf((await session.get('/many/node-0777'))?.data), 'node-0777');
    });

    test('a node of a megabyte is kept, one beyond the limit is refused with a sentence', async () => {
      const session = await fresh();
      const most = new Uint8Array(MAX_DATA_BYTES).map((_, i) => i % 251);
      await session.create('/big', most);
      assert.deepEqual((await session.get('/big'))?.data, most);
      const error = await throwsCode(session.set('/big', new Uint8Array(MAX_DATA_BYTES + 1)), 'rejected');
      assert.match(error.message, /1000001 bytes of data are over the limit of 1000000/);
      assert.equal((await session.get('/big'))?.stat.version, 0);
      assert.equal(session.state, 'connected');
    });

    test('a chroot sees nothing of another, and its own events by its own paths', async () => {
      const outer = await fresh();
      const inner = await open(`${chroot}/deep/inner`);
      await inner.create('/a', bytes('x'));
      assert.deepEqual((await inner.children('/'))?.names, ['a']);
      assert.equal(textOf((await outer.get('/deep/inner/a'))?.data), 'x');
      assert.equal(await inner.get('/deep'), undefined);
      const changed = new Promise<WatchEvent>((resolve) => void inner.get('/a', resolve));
      await inner.get('/a');
      await outer.set('/deep/inner/a', bytes('y'));
      assert.deepEqual(await changed, { type: 'changed', path: '/a' });
    });

    test('a client that was stopped longer than its timeout finds its session expired', async () => {
      const watcher = await fresh();
      const owner = await startOwner('/e');
      const gone = new Promise<WatchEvent>((resolve) => void watcher.get('/e', resolve));
      await watcher.get('/e');
      owner.process.kill('SIGSTOP');
      assert.equal((await gone).type, 'deleted');
      owner.process.kill('SIGCONT');
      await said(owner, 'state expired');
      assert.equal(await said(owner, 'call'), 'call session-expired');
      assert.ok(owner.process.kill(0), 'it lives on');
    });

    test('a client that was stopped for less keeps its session and its node', async () => {
      const watcher = await fresh();
      const owner = await startOwner('/e');
      owner.process.kill('SIGSTOP');
      const resume = performance.now() + server.timeoutMs / 4;
      while (performance.now() < resume) await watcher.get('/e');
      owner.process.kill('SIGCONT');
      const enough = performance.now() + server.timeoutMs * 2;
      while (performance.now() < enough) assert.ok(await watcher.get('/e'));
    });

    test('a restart of the server keeps persistent nodes; sessions live on or have expired, as promised', async () => {
      const session = await fresh();
      await session.create('/kept', bytes('kept'));
      await session.set('/kept', bytes('kept, too'));
      const before = await session.get('/kept');
      await session.create('/e', bytes('x'), { ephemeral: true });
      const seen: WatchEvent[] = [];
      await session.get('/kept', (event) => seen.push(event));
      await session.get('/later', (event) => seen.push(event));
      await server.kill();
      await inState(session, 'disconnected');
      await server.restart();
      if (server.keepsSessions) {
        await inState(session, 'connected');
        assert.ok(await session.get('/e'));
        const other = await open();
        await other.create('/later', bytes('x'));
        await until(() => seen.length === 1, { ...WAIT, what: 'the watch that was set again' });
        assert.deepEqual(seen, [{ type: 'created', path: '/later' }]);
      } else {
        await inState(session, 'expired');
        await throwsCode(session.get('/kept'), 'session-expired');
        assert.deepEqual(seen, []);
      }
      const now = await open();
      const kept = await now.get('/kept');
      assert.equal(textOf(kept?.data), 'kept, too');
      assert.equal(kept?.stat.mzxid, before?.stat.mzxid);
      assert.equal(kept?.stat.version, 1);
      const next = await now.set('/kept', bytes('again'));
      assert.ok(next.mzxid > (before?.stat.mzxid ?? 0));
      if (!server.keepsSessions) assert.equal(await now.get('/e'), undefined);
    });

    test('over a broken connection a session lives on, and its watches tell what changed meanwhile', async () => {
      const other = await fresh();
      const { proxy, url } = await server.proxy();
      try {
        const session = await openCoordination(url(chroot), { timeoutMs: server.timeoutMs });
        sessions.push(session);
        const states: SessionState[] = [];
        session.onState((state) => states.push(state));
        for (const path of ['/changed', '/deleted', '/dir', '/same']) await other.create(path, bytes('0'));
        await session.create('/mine', bytes('x'), { ephemeral: true });
        const seen: string[] = [];
        const watcher = (event: WatchEvent): number => seen.push(`${event.type} ${event.path}`);
        for (const path of ['/changed', '/deleted', '/created', '/same', '/never'])
          await session.get(path, watcher);
        await session.children('/dir', watcher);
        const { sessionId } = session;
        proxy.cut();
        await inState(session, 'disconnected');
        await other.set('/changed', bytes('1'));
        await other.delete('/deleted');
        await other.create('/created', bytes('x'));
        await other.create('/dir/child', bytes('x'));
        proxy.mend();
        await inState(session, 'connected');
        const expected = ['changed /changed', 'children /dir', 'created /created', 'deleted /deleted'];
        await until(() => seen.length >= expected.length, { ...WAIT, what: 'the missed events' });
        assert.deepEqual(seen.toSorted(), expected);
        assert.deepEqual(states, ['disconnected', 'connected']);
        assert.equal(session.sessionId, sessionId);
        assert.equal((await other.get('/mine'))?.stat.ephemeralOwner, sessionId);
        // What had nothing to tell is watched on.
        await other.set('/same', bytes('1'));
        await until(() => seen.at(-1) === 'changed /same', { ...WAIT, what: 'the watch that was set again' });
      } finally {
        await proxy.close();
      }
    });

    test('a session cut off for longer than its timeout has expired when it comes back, its node long gone', async () => {
      const other = await fresh();
      const { proxy, url } = await server.proxy();
      try {
        const session = await openCoordination(url(chroot), { timeoutMs: server.timeoutMs });
        sessions.push(session);
        await session.create('/mine', bytes('x'), { ephemeral: true });
        proxy.cut();
        const pending = session.get('/mine').catch((error: unknown) => error);
        await until(async () => (await other.get('/mine')) === undefined, {
          ...WAIT,
          what: 'the node to go',
        });
        assert.ok(['disconnected', 'connected'].includes(session.state), session.state);
        assert.ok((await pending) instanceof CoordinationError);
        proxy.mend();
        await inState(session, 'expired');
        await throwsCode(session.create('/mine', bytes('x')), 'session-expired');
      } finally {
        await proxy.close();
      }
    });

    test('a server that hangs is noticed, calls end in time, and all goes on when it does', async () => {
      const session = await fresh();
      await session.create('/a', bytes('x'));
      server.signal('SIGSTOP');
      try {
        // On a busy machine it takes the server a while to notice that it is stopped.
        const { error, tookMs } = await until(async () => {
          const start = performance.now();
          const failure = await session.get('/a').then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          return failure !== undefined && { error: failure, tookMs: performance.now() - start };
        }, WAIT);
        assert.ok(
          error instanceof CoordinationError && ['timeout', 'connection-loss'].includes(error.code),
          String(error),
        );
        assert.ok(tookMs < session.timeoutMs + MARGIN_MS);
        await inState(session, 'disconnected');
      } finally {
        server.signal('SIGCONT');
      }
      await until(() => session.state === 'connected' || session.state === 'expired', WAIT);
      const next = session.state === 'connected' ? session : await open();
      assert.ok(await next.get('/a'));
    });

    test('while no server answers a call fails within its deadline, and opening does, too', async () => {
      const session = await fresh();
      await server.kill();
      const start = performance.now();
      await assert.rejects(
        session.create('/a', bytes('x')),
        (error) => error instanceof CoordinationError && ['timeout', 'connection-loss'].includes(error.code),
      );
      assert.ok(performance.now() - start < session.timeoutMs + MARGIN_MS);
      await throwsCode(
        openCoordination(server.url('/x'), { timeoutMs: server.timeoutMs, deadlineMs: 500 }),
        'timeout',
      );
      const waiting = openCoordination(server.url(nextChroot()), {
        timeoutMs: server.timeoutMs,
        deadlineMs: 60_000,
      });
      // Longer than any first attempt lasts.
      await until(() => performance.now() - start > 3_000, WAIT);
      await server.restart();
      const late = await waiting;
      sessions.push(late);
      await late.create('/a', bytes('x'));
    });
  });
}
