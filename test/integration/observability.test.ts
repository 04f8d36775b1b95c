// What the processes of a platform tell of themselves, against docs/observability.md.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import { OperatorMetrics } from '../../operator/runtime/metrics.ts';
import { readNote } from '../../embedded/home.ts';
import { WorkloadMetrics } from '../../workloads/common/metrics/workload-metrics.ts';
import { cellctlOutput } from '../support/cellctl.ts';
import { openJmap } from '../support/jmap.ts';
import { isAbout, readLogLines, type LogLine } from '../support/log-lines.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

let platform: PlatformUnderTest;
/** What the mail's 250 called it. */
let storedAs = '';
/** What each process says at /metrics, by workload; the app servers together. */
const scraped = new Map<string, string>();

async function scrape(url: string): Promise<string> {
  assert.equal(await (await fetch(`${url}/healthz`)).text(), 'ok\n', url);
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  return await response.text();
}

before(async () => {
  platform = await startPlatform({ CELLPOST_LOG_LEVEL: 'debug' });
  const { smtpPort: port } = platform;
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port, secure: false });
  const mail = { from: 'you@example.org', to: 'alice@cellpost.test', subject: 'hello', text: 'x' };
  const { response } = await transport.sendMail(mail);
  storedAs = /Stored as (\S+)/.exec(response)?.[1] ?? '';
  transport.close();
  const alice = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
  assert.deepEqual(await alice.subjects(), ['hello']);
  const note = readNote(platform.home);
  assert.ok(note);
  const nodes = await platform.cellctl<{ address: string }[]>('nodes');
  scraped.set('app_server', (await Promise.all(nodes.map(({ address }) => scrape(address)))).join('\n'));
  scraped.set('discovery', await scrape(note.discoveryUrl));
  scraped.set('memcache_dirty', await scrape(note.countsUrl));
  scraped.set('mta_proxy', await scrape(note.mtaProxyUrl));
  scraped.set('user_index', await scrape(note.userIndexUrl));
  scraped.set('web', await scrape(platform.webUrl));
  scraped.set('console', await scrape(note.consoleUrl));
  // No Kubernetes runs here: what the operator would tell is what it registers.
  const operator = new WorkloadMetrics('operator');
  new OperatorMetrics(operator).queue('cell', () => 0);
  scraped.set('operator', await operator.registry.metrics());
});

after(() => platform[Symbol.asyncDispose]());

test('every metric is in the page, has a name of the scheme and a help text', async () => {
  const page = await readFile(new URL('../../docs/observability.md', import.meta.url), 'utf8');
  const listed = new Set(page.matchAll(/`(cellpost_[a-z_<>]+)/g).map(([, name]) => name));
  for (const [workload, text] of scraped) {
    const types = [...text.matchAll(/^# TYPE (cellpost_\S+) (\w+)$/gm)];
    assert.ok(types.length > 0, `${workload} has metrics`);
    for (const [, name = '', type] of types) {
      assert.match(name, new RegExp(`^cellpost_${workload}_[a-z]+(?:_[a-z]+)*$`));
      const endings = { counter: /_total$/, histogram: /_duration_seconds$/, gauge: /(?<!_total)$/ };
      assert.match(name, endings[type as keyof typeof endings]);
      assert.match(text, new RegExp(`^# HELP ${name} .{5,}`, 'm'));
      const shared = name.replace(`cellpost_${workload}_`, 'cellpost_<w>_');
      assert.ok(listed.has(name) || listed.has(shared), `${name} is in docs/observability.md`);
    }
  }
});

test('a mail leaves its traces in the stages, stores, queues and caches of those who took it', () => {
  const has = (workload: string, ...series: string[]): void => {
    for (const one of series)
      assert.ok(scraped.get(workload)?.includes(`cellpost_${workload}_${one}`), `${workload}: ${one}`);
  };
  has(
    'mta_proxy',
    'stage_duration_seconds_count{stage="parse"}',
    'stage_duration_seconds_count{stage="deliver"}',
  );
  has('mta_proxy', 'queue_depth{queue="smtp_sessions"}', 'queue_limit{queue="smtp_sessions"}');
  has('mta_proxy', 'queue_depth{queue="parsers"}', 'queue_limit{queue="delivery_channel"}');
  has(
    'mta_proxy',
    'cache_requests_total{cache="addresses",result="miss"}',
    'cell_calls_total{result="answered"}',
  );
  for (const stage of ['queue', 'open', 'index', 'append'])
    has('app_server', `stage_duration_seconds_count{stage="${stage}"}`);
  has('app_server', 'store_call_duration_seconds_count{store="sqlite",operation="append"}');
  has('app_server', 'store_call_duration_seconds_count{store="zookeeper",operation="create"}');
  has('app_server', 'queue_depth{queue="requests"}', 'queue_limit{queue="sqlite_writes"}');
  has('app_server', 'cache_requests_total{cache="images",result="miss"}');
  has('app_server', 'request_duration_seconds_count{route="POST /users/:userId/jmap/api",status="200"}');
  has('app_server', 'http_requests_total{route="api",status="200"}');
  has('web', 'request_duration_seconds_count{route="POST /jmap/api",status="200"}');
  for (const workload of ['mta_proxy', 'web', 'user_index', 'memcache_dirty'])
    for (const to of ['app-server', 'discovery'])
      has(workload, `hedges_total{to="${to}",outcome="withheld"}`, `retries_total{to="${to}",result="held"}`);
  has('discovery', 'store_call_duration_seconds_count{store="zookeeper",operation="get"}');
});

const logLines = (): Promise<LogLine[]> => readLogLines(join(platform.home, 'logs'));

test('the id in the answer to a mail is in the logs of all who worked on it, and in its log entry', async () => {
  assert.match(storedAs, /^[\w-]{8,}$/);
  const args = ['user', 'log', 'alice@cellpost.test'];
  const env = { CELLPOST_HOME: platform.home };
  assert.ok((await cellctlOutput(args, env)).includes(`, request ${storedAs}`));
  const entries = (await cellctlOutput([...args, '--json'], env))
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
  const added = entries.find(({ type }) => type === 'messageAdded');
  assert.equal(added?.requestId, storedAs);
  const lines = await logLines();
  const said = (workload: string, msg: string): LogLine | undefined =>
    lines.find((line) => line.workload === workload && line.msg === msg && isAbout(line, storedAs));
  assert.ok(said('mta-proxy', 'message answered'));
  // Who the recipient is was asked over HTTP; the message came over a delivery channel.
  assert.equal(said('app-server', 'request answered')?.method, 'GET');
  const durable = said('app-server', 'an entry is durable');
  assert.equal(durable?.seq, added?.seq);
  assert.match(String(durable?.key), /^user:/);
});

test('the id that a client gives its request, or the door, is that of the request to the app server', async () => {
  for (const given of ['my-request.1', undefined]) {
    const response = await fetch(`${platform.webUrl}/jmap/session`, {
      headers: {
        authorization: `Basic ${Buffer.from('alice@cellpost.test:demo').toString('base64')}`,
        ...(given !== undefined && { 'x-request-id': given }),
      },
    });
    await response.body?.cancel();
    const id = response.headers.get('x-request-id') ?? '';
    if (given !== undefined) assert.equal(id, given);
    await until(
      async () => {
        const of = (await logLines()).filter(({ requestId }) => requestId === id);
        return ['web', 'app-server'].every((workload) => of.some((line) => line.workload === workload));
      },
      { timeoutMs: 10_000, what: `${id} in the logs of the door and of the app server` },
    );
  }
});
