import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../common/log.ts';
import { listenHttp } from '../common/http/server.ts';
import { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { countOf } from './histogram.ts';
import { readSample } from './sample.ts';

test('what our processes tell is read', async () => {
  const metrics = WorkloadMetrics.ofProcess('app_server');
  metrics.stage('append').since(performance.now() - 20);
  metrics.storeCall('hbase', 'mutate').since(performance.now() - 20);
  metrics.queue('appends', () => 7, 100);
  metrics.queue('open', () => 3);
  const listener = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    logger: createLogger('test', 'silent'),
    metrics,
    ready: () => true,
    routes: (app) => {
      app.get('/load', (_request, response) => response.send('x'));
      app.get('/busy', (_request, response) => response.status(503).send('x'));
    },
  });
  try {
    for (const path of ['/load', '/busy', '/nothing']) await (await fetch(listener.url + path)).text();
    const sample = readSample(await (await fetch(`${listener.url}/metrics`)).text());
    assert.equal(countOf(sample.requests), 2, 'what the console asks itself is not counted');
    assert.equal(sample.errors, 1);
    assert.deepEqual([...sample.stages.keys()], ['append', 'hbase/mutate']);
    assert.deepEqual(sample.queues.get('appends'), { depth: 7, limit: 100 });
    assert.deepEqual(sample.queues.get('open'), { depth: 3, limit: undefined });
    assert.ok(sample.startedAt > 1e9 && sample.cpuSeconds > 0 && (sample.loopActiveSeconds ?? 0) > 0);
    assert.ok((sample.cpuLimit ?? 0) >= 1 && sample.residentBytes > 1e6 && sample.heapUsedBytes > 1e6);
    assert.ok(sample.residentBytes < (sample.memoryLimitBytes ?? 0));
    assert.ok(sample.heapUsedBytes < (sample.heapLimitBytes ?? 0));
  } finally {
    await listener.close();
  }
});

test('what names too many stages is read as far as it goes', () => {
  const lines = Array.from(
    { length: 500 },
    (_, i) => `cellpost_web_stage_duration_seconds_bucket{le="+Inf",stage="stage ${i}"} 1`,
  );
  assert.equal(readSample(lines.join('\n')).stages.size, 64);
});
