import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { until } from '../../test/support/wait.ts';
import { BucketMap } from '../common/cell-client/buckets.ts';
import { listenHttp } from '../common/http/server.ts';
import { createLogger } from '../common/log.ts';
import { DiscoveryState } from './state.ts';
import { WatchStreams } from './watch-stream.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';

test('a subscriber that reads nothing is cut off, one that reads has it all', async () => {
  const state = new DiscoveryState();
  const cells = [{ name: 'a', state: 'Enabled' as const, dataCenter: 'here', coordination: 'local:/a' }];
  state.update({ version: 1, cells, buckets: BucketMap.empty, exceptions: new Map(), ending: new Map() });
  const streams = new WatchStreams(state);
  const listener = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    logger: createLogger('test', 'silent'),
    metrics: new WorkloadMetrics('discovery'),
    ready: () => true,
    routes: (app) => app.get('/v1/watch', (request, response) => streams.open(request, response)),
  });
  const lazy = connect(listener.port, '127.0.0.1');
  lazy.on('error', () => undefined);
  lazy.pause();
  lazy.write('GET /v1/watch HTTP/1.1\r\nhost: x\r\n\r\n');
  const eager = connect(listener.port, '127.0.0.1');
  eager.write('GET /v1/watch HTTP/1.1\r\nhost: x\r\n\r\n');
  let received = '';
  eager.on('data', (chunk) => {
    received = (received + chunk.toString()).slice(-2_000_000);
  });
  await until(() => streams.count === 2, { timeoutMs: 10_000 });
  const member = {
    url: 'http://x',
    state: 'serving' as const,
    tokens: 1,
    session: '1',
    version: 'x'.repeat(1_000_000),
    pid: 1,
  };
  for (let version = 1; version <= 40 && streams.count === 2; version++) {
    state.updateRing('a', { version, members: [{ ...member, name: `m-${version}` }] });
    // Time for the reader to read.
    await until(() => received.includes(`"m-${version}"`), { timeoutMs: 10_000, intervalMs: 1 });
  }
  await until(() => streams.count === 1, { timeoutMs: 10_000, what: 'the lazy one to be cut off' });
  state.updateRing('a', { version: 99, members: [] });
  await until(() => received.includes('"version":99'), { timeoutMs: 10_000 });
  const ended = once(eager, 'close');
  streams.close();
  await ended;
  lazy.destroy();
  await listener.close();
});
