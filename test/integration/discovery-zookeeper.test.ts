// Discovery and the cells' client over a real ZooKeeper: what differs from the embedded coordinator.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Child } from '../../embedded/child.ts';
import { type Cells, openCells } from '../../workloads/common/cell-client/cells.ts';
import { openCoordination } from '../../workloads/common/coordination/open.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { start } from '../../workloads/discovery/main.ts';
import { startZooKeeper, type ZooKeeper, zooKeeperMissing } from '../real/zookeeper.ts';
import { until } from '../support/wait.ts';
import { StubServer } from './discovery-stub.ts';

const TOKEN = 'a token for nothing but tests';
const STUB = fileURLToPath(new URL('discovery-stub.ts', import.meta.url));
const WAIT = { timeoutMs: 30_000, intervalMs: 20 };
const USERS = Array.from({ length: 20 }, (_, i) => `user:u${i}`);

const skip = await zooKeeperMissing();

describe('discovery over ZooKeeper', skip === undefined ? {} : { skip }, () => {
  let zookeeper: ZooKeeper;
  let discovery: Awaited<ReturnType<typeof start>>;
  let cells: Cells;
  const stubs: StubServer[] = [];

  before(async () => {
    zookeeper = await startZooKeeper();
    discovery = await start({
      CELLPOST_COORDINATION: zookeeper.url('/discovery'),
      CELLPOST_SESSION_TIMEOUT_MS: '2000',
      CELLPOST_PLATFORM_TOKEN: TOKEN,
      CELLPOST_LOG_LEVEL: 'silent',
      CELLPOST_HTTP_PORT: '0',
    });
    cells = await openCells({
      discoveryUrl: discovery.url,
      token: TOKEN,
      logger: createLogger('test', 'silent'),
    });
    await cells.putCell('a', {
      state: 'Enabled',
      dataCenter: 'here',
      coordination: zookeeper.url('/cells/a'),
    });
    for (const key of USERS) await assign(key);
  });

  after(async () => {
    await cells.close();
    for (const stub of stubs) await stub.close();
    await discovery.close();
    await zookeeper.close();
  });

  const assign = async (key: string): Promise<number> => {
    const response = await fetch(`${discovery.url}/v1/assign`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ key }),
    });
    await response.text();
    return response.status;
  };
  const startStub = async (name: string): Promise<StubServer> => {
    const stub = new StubServer(name);
    stubs.push(stub);
    await stub.start(zookeeper.url('/cells/a'), 'serving', 2_000);
    return stub;
  };
  const nodes = async (): Promise<Set<string>> => {
    const found = await Promise.all(
      USERS.map((key) =>
        cells.where(key).then(
          ({ node }) => node,
          () => 'nobody',
        ),
      ),
    );
    return new Set(found);
  };
  const servedBy = (...names: string[]): Promise<unknown> =>
    until(async () => (await nodes()).symmetricDifference(new Set(names)).size === 0, {
      ...WAIT,
      what: `${names.join(', ')} to serve`,
    });

  test('a join, a leave and a crash change where everybody looks', async () => {
    await startStub('a-0');
    await servedBy('a-0');
    const second = await startStub('a-1');
    await servedBy('a-0', 'a-1');
    await second.leave();
    await servedBy('a-0');
    const child = spawn(process.execPath, [STUB, zookeeper.url('/cells/a'), 'a-2'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await servedBy('a-0', 'a-2');
    child.kill('SIGKILL');
    await servedBy('a-0');
  });

  test('a restart of ZooKeeper interrupts no answer, and changes are followed again after it', async () => {
    await servedBy('a-0');
    await zookeeper.kill();
    assert.deepEqual(await nodes(), new Set(['a-0']));
    const response = await cells.request('user:u1', {
      method: 'POST',
      path: '/users/u1/do',
      body: 'x',
      idempotent: false,
    });
    assert.equal(response.status, 200);
    await response.body.dump();
    assert.equal(await assign('user:somebody-else'), 503);
    await zookeeper.restart();
    await until(async () => (await assign('user:somebody-else')) === 200, WAIT);
    await startStub('a-3');
    await servedBy('a-0', 'a-3');
  });

  test('a replica that starts while ZooKeeper is away takes the map from a peer, and follows ZooKeeper later', async () => {
    await startStub('a-4');
    await until(async () => (await nodes()).has('a-4'), { ...WAIT, what: 'a-4 to serve' });
    await zookeeper.kill();
    const replica = await start({
      CELLPOST_COORDINATION: zookeeper.url('/discovery'),
      CELLPOST_PLATFORM_TOKEN: TOKEN,
      CELLPOST_LOG_LEVEL: 'silent',
      CELLPOST_HTTP_PORT: '0',
      CELLPOST_DISCOVERY_PEERS: `http://127.0.0.1:9,${discovery.url}`,
    });
    const where = async (url: string): Promise<unknown[]> => {
      const response = await fetch(`${url}/v1/where`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ keys: USERS }),
      });
      const { answers } = (await response.json()) as { answers: { cell: string; node: string }[] };
      return answers.map(({ cell, node }) => [cell, node]);
    };
    try {
      await until(async () => (await fetch(`${replica.url}/readyz`)).ok, WAIT);
      assert.deepEqual(await where(replica.url), await where(discovery.url));
      await zookeeper.restart();
      await startStub('a-5');
      await until(async () => JSON.stringify(await where(replica.url)).includes('a-5'), WAIT);
    } finally {
      await replica.close();
    }
  });

  test('replicas that are all killed and started while ZooKeeper is away answer from the map in the blob store', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cellpost-map-'));
    const children: Child[] = [];
    const startReplica = async (): Promise<string> => {
      const name = `discovery-${children.length}`;
      const logFile = join(folder, `${name}.log`);
      const child = new Child({ name, workload: 'discovery', logFile, onDeath: () => undefined });
      children.push(child);
      const { url } = await child.start({
        CELLPOST_COORDINATION: zookeeper.url('/discovery'),
        CELLPOST_SESSION_TIMEOUT_MS: '2000',
        CELLPOST_PLATFORM_TOKEN: TOKEN,
        CELLPOST_HTTP_PORT: '0',
        CELLPOST_BLOB_STORE: `file:${folder}`,
      });
      return url;
    };
    const where = async (url: string): Promise<unknown[]> => {
      const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ keys: USERS });
      const response = await fetch(`${url}/v1/where`, { method: 'POST', headers, body });
      if (!response.ok) return [];
      const { answers } = (await response.json()) as { answers: { cell: string; node: string }[] };
      return answers.map(({ cell, node }) => [cell, node]);
    };
    try {
      await startStub('a-6');
      await servedBy(...(await nodes()), 'a-6');
      await Promise.all([startReplica(), startReplica()]);
      const before = await where(discovery.url);
      await until(
        async () =>
          (await readFile(join(folder, 'documents', 'discovery-map.json'), 'utf8').catch(() => '')).includes(
            'a-6',
          ),
        { ...WAIT, what: 'the map to be stored' },
      );
      for (const child of children.splice(0)) child.kill();
      await zookeeper.kill();
      const urls = await Promise.all([startReplica(), startReplica()]);
      for (const url of urls)
        await until(async () => (await fetch(`${url}/readyz`)).ok, { ...WAIT, what: `${url} to have a map` });
      for (const url of urls) assert.deepEqual(await where(url), before);
      await zookeeper.restart();
      await startStub('a-7');
      for (const url of urls)
        await until(async () => JSON.stringify(await where(url)).includes('a-7'), {
          ...WAIT,
          what: 'the ring to be followed again',
        });
    } finally {
      for (const child of children) child.kill();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('discovery that is started while ZooKeeper hangs comes to serve when it goes on', async () => {
    zookeeper.signal('SIGSTOP');
    const late = await start({
      CELLPOST_COORDINATION: zookeeper.url('/discovery'),
      CELLPOST_PLATFORM_TOKEN: TOKEN,
      CELLPOST_LOG_LEVEL: 'silent',
      CELLPOST_HTTP_PORT: '0',
    });
    try {
      assert.equal((await fetch(`${late.url}/readyz`)).status, 503);
      zookeeper.signal('SIGCONT');
      await until(async () => (await fetch(`${late.url}/readyz`)).ok, WAIT);
    } finally {
      zookeeper.signal('SIGCONT');
      await late.close();
    }
    const session = await openCoordination(zookeeper.url('/discovery'), { timeoutMs: 2_000 });
    assert.deepEqual((await session.children('/'))?.names, ['cells', 'exceptions', 'map']);
    await session.close();
  });
});
