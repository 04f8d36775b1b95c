import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { Registry } from 'prom-client';
import { ensure } from '../../operator/runtime/apply.ts';
import { isGone } from '../../operator/runtime/api-error.ts';
import { KubeApi } from '../../operator/runtime/api.ts';
import { Connections } from '../../operator/runtime/connections.ts';
import { Events } from '../../operator/runtime/events.ts';
import { LeaderLease, type LeaseTimes } from '../../operator/runtime/lease.ts';
import { OperatorMetrics } from '../../operator/runtime/metrics.ts';
import { TYPES, type KubeObject } from '../../operator/runtime/resources.ts';
import { WatchCache } from '../../operator/runtime/watch-cache.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { startApiServer, type ApiServer } from '../real/apiserver.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/wait.ts';
import { WorkloadMetrics } from '../../workloads/common/metrics/workload-metrics.ts';

const logger = createLogger('test', 'silent');
const DEADLINE_MS = 60_000;
type ConfigMap = KubeObject & { data?: Record<string, string> };

let server: ApiServer;
let proxy: TcpProxy;

before(async () => {
  server = await startApiServer();
  proxy = await startTcpProxy(Number(new URL(server.config.getCurrentCluster()?.server ?? '').port));
});

after(async () => {
  await proxy?.close();
  await server?.close();
});

/** An API client with counters of its own; `through` names another port than the API server's. */
function client(
  through?: number,
  watchSilenceMs?: number,
): { api: KubeApi; registry: Registry; end(): Promise<void> } {
  const metrics = new WorkloadMetrics('operator');
  const { registry } = metrics;
  const config = new KubeConfig();
  config.loadFromString(server.config.exportConfig());
  const cluster = config.getCurrentCluster();
  assert.ok(cluster);
  if (through !== undefined) config.clusters = [{ ...cluster, server: `https://127.0.0.1:${through}` }];
  const connections = new Connections(config);
  const api = new KubeApi(connections, new OperatorMetrics(metrics), {
    ...(watchSilenceMs !== undefined && { watchSilenceMs }),
  });
  return { api, registry, end: () => connections.close() };
}

function configMap(name: string, data: Record<string, string>): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data };
}

/** Requests that may change something, lease and all, so far. */
async function writes(registry: Registry): Promise<number> {
  const metric = await registry.getSingleMetric('cellpost_operator_api_writes_total')?.get();
  return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
}

function openCache(
  api: KubeApi,
  onChange: (object: ConfigMap) => void = () => undefined,
): WatchCache<ConfigMap> {
  return new WatchCache<ConfigMap>({
    api,
    type: TYPES.configMap,
    logger,
    metrics: new OperatorMetrics(new WorkloadMetrics('operator')),
    onChange,
  });
}

const sees = (cache: WatchCache<ConfigMap>, name: string, value: string | undefined): Promise<boolean> =>
  until(() => cache.get('default', name)?.data?.v === value, {
    timeoutMs: DEADLINE_MS,
    what: `${name} to be ${value}`,
  });

test('a cache follows changes while its watch is cut again and again', async (t) => {
  const through = client(proxy.port);
  const direct = client();
  const told: string[] = [];
  const cache = openCache(through.api, (object) => {
    if (object.metadata.name === 'cut') told.push(object.data?.v ?? '');
    throw new Error('a listener that fails loses nothing');
  });
  t.after(async () => {
    await cache.close();
    await through.end();
    await direct.end();
  });
  await cache.synced;
  for (let i = 0; i < 20; i++) {
    await direct.api.apply(configMap('cut', { v: String(i) }));
    if (i % 2 === 0) proxy.cut();
  }
  await sees(cache, 'cut', '19');
  assert.equal(told.at(-1), '19');
});

test('objects are found by their group for as long as they are in it', async (t) => {
  const { api, end } = client();
  const cache = new WatchCache<ConfigMap>({
    api,
    type: TYPES.configMap,
    logger,
    metrics: new OperatorMetrics(new WorkloadMetrics('operator')),
    groupOf: ({ data }) => data?.group,
  });
  t.after(async () => {
    await cache.close();
    await end();
  });
  const names = (group: string): string[] => cache.group(group).map(({ metadata }) => metadata.name);
  await cache.synced;
  await api.apply(configMap('one', { group: 'a', v: '1' }));
  cache.observe(await api.apply<ConfigMap>(configMap('two', { group: 'a', v: '1' })));
  await sees(cache, 'one', '1');
  assert.deepEqual(names('a').toSorted(), ['one', 'two']);
  await api.apply(configMap('one', { group: 'b', v: '2' }));
  await sees(cache, 'one', '2');
  assert.deepEqual([names('a'), names('b')], [['two'], ['one']]);
  for (const name of ['one', 'two']) {
    await api.delete(configMap(name, {}));
    await sees(cache, name, undefined);
  }
  assert.deepEqual([names('a'), names('b')], [[], []]);
});

test('an object that is there is not made anew, whoever made it', async (t) => {
  const { api, end } = client();
  t.after(end);
  assert.equal((await api.applyNew(configMap('only-one', { v: 'first' })))?.data?.v, 'first');
  assert.equal(await api.applyNew(configMap('only-one', { v: 'second' })), undefined);
  const at = { namespace: 'default', name: 'only-one' };
  assert.equal((await api.get<ConfigMap>(TYPES.configMap, at))?.data?.v, 'first');
});

test('a cache notices what was deleted and made anew while the API server was away', async (t) => {
  const direct = client();
  const deleted: string[] = [];
  const through = client(proxy.port);
  const cache = openCache(through.api, (object) => deleted.push(object.metadata.uid ?? ''));
  t.after(async () => {
    proxy.become('pass');
    await cache.close();
    await through.end();
    await direct.end();
  });
  const [first] = [await direct.api.apply<ConfigMap>(configMap('reborn', { v: 'old' }))];
  await direct.api.apply(configMap('doomed', { v: 'x' }));
  await sees(cache, 'reborn', 'old');
  await sees(cache, 'doomed', 'x');
  proxy.become('refuse');
  deleted.length = 0;
  await direct.api.delete(first);
  await direct.api.apply(configMap('reborn', { v: 'new' }));
  await direct.api.delete(configMap('doomed', {}));
  await server.kill();
  await server.restart();
  proxy.become('pass');
  await sees(cache, 'reborn', 'new');
  await sees(cache, 'doomed', undefined);
  assert.ok(
    deleted.includes(first.metadata.uid ?? '-'),
    'whoever cared about the old object heard of its end',
  );
});

test('a cache lists again when its version is too old (410)', async (t) => {
  const direct = client();
  const through = client(proxy.port);
  const cache = openCache(through.api);
  t.after(async () => {
    proxy.become('pass');
    await cache.close();
    await through.end();
    await direct.end();
  });
  const old = await direct.api.apply<ConfigMap>(configMap('gone', { v: '0' }));
  await sees(cache, 'gone', '0');
  proxy.become('refuse');
  for (let i = 1; i <= 5; i++) await direct.api.apply(configMap('gone', { v: String(i) }));
  await server.compact();
  // Its own watch cache remembers more than etcd does; a new process does not.
  await server.kill();
  await server.restart();
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const version = old.metadata.resourceVersion ?? '';
  await assert.rejects(
    async () => {
      for await (const _event of direct.api.watch(TYPES.configMap, version, {}, signal)) break;
    },
    (error) => isGone(error),
  );
  proxy.become('pass');
  await sees(cache, 'gone', '5');
});

test('a cache notices that its watch has gone silent', async (t) => {
  const direct = client();
  const through = client(proxy.port, 500);
  const shared = new WorkloadMetrics('operator');
  const { registry } = shared;
  const metrics = new OperatorMetrics(shared);
  const cache = new WatchCache<ConfigMap>({ api: through.api, type: TYPES.configMap, logger, metrics });
  t.after(async () => {
    proxy.become('pass');
    await cache.close();
    await through.end();
    await direct.end();
  });
  await cache.synced;
  proxy.become('silent');
  await direct.api.apply(configMap('silence', { v: '1' }));
  await until(
    async () => {
      const restarts = await registry.getSingleMetric('cellpost_operator_watch_restarts_total')?.get();
      return restarts?.values.some(({ labels }) => labels.cause === 'error');
    },
    { timeoutMs: DEADLINE_MS, what: 'the silence to be noticed' },
  );
  proxy.become('pass');
  await sees(cache, 'silence', '1');
});

test('an object that has what it should have is not written, and is put right when another changes it', async (t) => {
  const { api, registry, end } = client();
  const cache = openCache(api);
  t.after(async () => {
    await cache.close();
    await end();
  });
  await cache.synced;
  const wanted = {
    ...configMap('steady', { v: 'ours', w: 'too' }),
    metadata: { name: 'steady', namespace: 'default', labels: { mine: 'yes' } },
  };
  await ensure(api, cache, wanted);
  const after = await writes(registry);
  for (let i = 0; i < 10; i++) await ensure(api, cache, wanted);
  await sees(cache, 'steady', 'ours');
  await ensure(api, cache, wanted);
  assert.equal(await writes(registry), after);

  await server.kubectl([
    'patch',
    'configmap',
    'steady',
    '--type=merge',
    '-p',
    '{"data":{"v":"theirs","extra":"1"}}',
  ]);
  await sees(cache, 'steady', 'theirs');
  await ensure(api, cache, wanted);
  assert.deepEqual(cache.get('default', 'steady')?.data, { v: 'ours', w: 'too', extra: '1' });

  await ensure(api, cache, { ...wanted, data: { v: 'ours' } });
  assert.deepEqual(
    cache.get('default', 'steady')?.data,
    { v: 'ours', extra: '1' },
    'what is not wanted any more goes',
  );
});

test('a conflicting write is refused with 409, and a delete of another incarnation does nothing', async (t) => {
  const { api, end } = client();
  t.after(end);
  const first = await api.apply<ConfigMap>(configMap('conflict', { v: '1' }));
  await api.apply(configMap('conflict', { v: '2' }));
  await assert.rejects(api.update({ ...first, data: { v: 'late' } }), { status: 409 });
  await api.delete(first);
  await api.apply(configMap('conflict', { v: 'new' }));
  assert.equal(await api.delete(first), false);
  const left = await api.get<ConfigMap>(TYPES.configMap, { namespace: 'default', name: 'conflict' });
  assert.equal(left?.data?.v, 'new');
});

test('a request that the API server has no time for now is made again when it says', async (t) => {
  let asked = 0;
  const busy = createServer((_request, response) => {
    asked++;
    if (asked === 1) response.writeHead(429, { 'retry-after': '1' }).end('too many requests');
    else response.writeHead(201).end(JSON.stringify(configMap('late', { v: '1' })));
  });
  busy.listen(0, '127.0.0.1');
  await once(busy, 'listening');
  t.after(() => busy.close());
  const config = new KubeConfig();
  const url = `http://127.0.0.1:${(busy.address() as AddressInfo).port}`;
  config.loadFromClusterAndUser({ name: 'busy', server: url, skipTLSVerify: true }, { name: 'nobody' });
  const connections = new Connections(config);
  t.after(() => connections.close());
  const api = new KubeApi(connections, new OperatorMetrics(new WorkloadMetrics('operator')));
  assert.deepEqual((await api.create(configMap('late', { v: '1' }))).data, { v: '1' });
  assert.equal(asked, 2);
});

test('requests that were given up leave no error behind when their connections end', async () => {
  // An error that nobody can catch would fail this test, or end an operator that stops.
  for (let round = 0; round < 40; round++) {
    const { api, end } = client();
    const stop = new AbortController();
    const follow = async (): Promise<void> => {
      for await (const event of api.watch(TYPES.pod, '0', {}, stop.signal)) void event;
    };
    const underWay = [
      ...Array.from({ length: 8 }, follow),
      ...Array.from({ length: 8 }, () => api.list(TYPES.pod, {}, { signal: stop.signal })),
    ];
    await delay(2 * round);
    stop.abort();
    await Promise.allSettled(underWay);
    await end();
  }
});

test('one of two candidates leads; it stops before the other starts; a released lease passes at once', async (t) => {
  const times: LeaseTimes = { durationMs: 8_000, renewDeadlineMs: 5_000, retryMs: 300 };
  const leading = new Set<string>();
  const log: string[] = [];
  const candidate = (identity: string, port?: number): { stop: AbortController; ended: Promise<void> } => {
    const { api, end } = client(port);
    const stop = new AbortController();
    const lease = new LeaderLease({ api, namespace: 'default', name: 'leader', identity, times, logger });
    const ended = lease.campaign(async (term) => {
      leading.add(identity);
      log.push(`${identity} leads with ${leading.size}`);
      await new Promise<void>((resolve) => term.addEventListener('abort', () => resolve(), { once: true }));
      leading.delete(identity);
    }, stop.signal);
    t.after(async () => {
      stop.abort();
      await ended;
      await end();
    });
    return { stop, ended };
  };
  const leads = (identity: string): Promise<boolean> =>
    until(() => leading.has(identity), { timeoutMs: DEADLINE_MS, what: `${identity} to lead` });
  t.after(() => proxy.become('pass'));

  candidate('a', proxy.port);
  await leads('a');
  const b = candidate('b');
  proxy.become('refuse');
  await leads('b');
  assert.ok(
    log.every((line) => line.endsWith('with 1')),
    `a had stopped when b began: ${log.join(', ')}`,
  );
  proxy.become('pass');
  const began = performance.now();
  b.stop.abort();
  await b.ended;
  await leads('a');
  assert.ok(performance.now() - began < times.durationMs, 'nobody waited for the lease to run out');
});

test('the same event again is counted on the first one', async (t) => {
  const { api, end } = client();
  t.after(end);
  const regarding = await api.apply<ConfigMap>(configMap('subject', {}));
  const events = new Events({ api, instance: 'test', logger });
  for (let i = 0; i < 3; i++) await events.record(regarding, 'Warning', 'Blocked', 'Delete', 'It is in use.');
  const list = JSON.parse(await server.kubectl(['get', 'events.events.k8s.io', '-o', 'json'])) as {
    items: { note: string; reason: string; series?: { count: number } }[];
  };
  assert.equal(list.items.length, 1);
  assert.equal(list.items[0]?.note, 'It is in use.');
  assert.equal(list.items[0]?.series?.count, 2);
});
