import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createLogger } from '../log.ts';
import { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { listenHttp, type HttpListener } from './server.ts';

const listeners: HttpListener[] = [];
after(() => Promise.all(listeners.map((listener) => listener.close())));

let isReady: true | string = true;
let isHealthy: true | string = true;

async function listen(adminPort?: number): Promise<HttpListener> {
  const listener = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    adminPort,
    logger: createLogger('test', 'silent'),
    metrics: new WorkloadMetrics('web'),
    ready: () => isReady,
    healthy: () => isHealthy,
    routes: (app) => app.get('/things/:id', (_request, response) => response.send('one')),
  });
  listeners.push(listener);
  return listener;
}

async function get(port: number | undefined, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

test('a process tells whether it is well and ready, and why it is not', async () => {
  const { port } = await listen();
  assert.deepEqual(await get(port, '/healthz'), { status: 200, text: 'ok\n' });
  assert.deepEqual(await get(port, '/readyz'), { status: 200, text: 'ok\n' });
  isReady = 'no map yet';
  isHealthy = 'its thread is dead';
  assert.deepEqual(await get(port, '/healthz'), { status: 503, text: 'its thread is dead\n' });
  assert.deepEqual(await get(port, '/readyz'), { status: 503, text: 'no map yet\n' });
});

test('a port that is public tells no reasons and no metrics when there is another one for them', async () => {
  const { port, adminPort } = await listen(0);
  isReady = 'no map yet';
  assert.deepEqual(await get(port, '/readyz'), { status: 503, text: 'not now\n' });
  assert.equal((await get(port, '/metrics')).status, 404);
  assert.equal((await get(adminPort, '/readyz')).text, 'no map yet\n');
  assert.equal((await get(adminPort, '/things/1')).status, 404);
  assert.match(
    (await get(adminPort, '/metrics')).text,
    /^cellpost_web_queue_limit\{queue="http_connections"\} /m,
  );
});

test('requests are measured by their routes, and by none when there is no such route', async () => {
  const { port } = await listen();
  assert.equal((await get(port, '/things/17')).status, 200);
  assert.equal((await get(port, '/nothing/of/the/kind')).status, 404);
  const { text } = await get(port, '/metrics');
  const count = (labels: string): string => `cellpost_web_request_duration_seconds_count{${labels}} 1`;
  assert.ok(text.includes(count('route="GET /things/:id",status="200"')));
  assert.ok(text.includes(count('route="none",status="404"')));
});
