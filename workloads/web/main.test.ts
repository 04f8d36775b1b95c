import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { start } from './main.ts';

const web = await start({
  CELLPOST_HTTP_PORT: '0',
  CELLPOST_ADMIN_PORT: '0',
  // Nobody listens there.
  CELLPOST_DISCOVERY_URL: 'http://127.0.0.1:9',
  CELLPOST_PLATFORM_TOKEN: 'a token of the platform for tests',
  CELLPOST_LOG_LEVEL: 'silent',
});
after(() => web.close());

test('the door is not ready before it has heard of discovery, and tells why at its own port only', async () => {
  const admin = await fetch(`http://127.0.0.1:${web.ports.admin}/readyz`);
  assert.equal(admin.status, 503);
  assert.equal(await admin.text(), 'discovery has not been heard of yet\n');
  const open = await fetch(`${web.url}/readyz`);
  assert.equal(open.status, 503);
  assert.equal(await open.text(), 'not now\n');
  assert.equal((await fetch(`${web.url}/healthz`)).status, 200);
});

test('metrics are not open to the world', async () => {
  const open = await fetch(`${web.url}/metrics`);
  assert.equal(open.status, 404);
  const admin = await fetch(`http://127.0.0.1:${web.ports.admin}/metrics`);
  assert.match(await admin.text(), /^# TYPE cellpost_web_request_duration_seconds histogram$/m);
});
