import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../common/log.ts';
import { until } from '../../test/support/wait.ts';
import { parseTargets, Targets } from './targets.ts';

test('targets are URLs, or names that stand for several addresses', () => {
  assert.deepEqual(parseTargets('web=http://127.0.0.1:8080/,mta-proxy=dns:mta.mail.svc.cluster.local:8082'), [
    { workload: 'web', at: { url: 'http://127.0.0.1:8080' } },
    { workload: 'mta-proxy', at: { host: 'mta.mail.svc.cluster.local', port: 8082 } },
  ]);
  assert.deepEqual(parseTargets(''), []);
});

test('what is none is named', () => {
  for (const text of ['web', 'web=127.0.0.1:8080', 'web=http://a/path', 'WEB=http://a:1', 'web=dns:a'])
    assert.throws(() => parseTargets(text), /is neither WORKLOAD=http/, text);
  assert.throws(() => parseTargets(`${'web=http://a:1,'.repeat(65)}`), /more than 64/);
});

test('a name is one process for each of its addresses', async () => {
  const targets = new Targets(
    parseTargets('discovery=http://127.0.0.1:1,web=dns:localhost:8080'),
    createLogger('test', 'silent'),
  );
  try {
    const web = await until(() => targets.processes().find(({ workload }) => workload === 'web'), {
      timeoutMs: 5_000,
      what: 'localhost to be found',
    });
    assert.match(web.url, /^http:\/\/(?:127\.0\.0\.1|\[::1\]):8080$/);
    assert.match(web.name, /^web (?:127\.0\.0\.1|::1)$/);
    assert.equal(targets.processes()[0]?.name, 'discovery');
  } finally {
    await targets.close();
  }
});
