// The web door as JMAP clients and strangers meet it.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import { basic, openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

type Where = { node: string };
type Node = { node: string; pid: number; state: string };

let platform: PlatformUnderTest;
const ALICE = basic('alice@cellpost.test', 'demo');
const BOB = basic('bob@cellpost.test', 'demo');

before(async () => {
  platform = await startPlatform();
});
after(async () => {
  await platform?.[Symbol.asyncDispose]();
});

async function get(path: string, authorization?: string, init: RequestInit = {}): Promise<Response> {
  return await fetch(platform.webUrl + path, {
    redirect: 'manual',
    ...init,
    headers: { ...(authorization ? { authorization } : {}), ...init.headers },
  });
}

async function api(body: string, authorization = ALICE): Promise<Response> {
  return await get('/jmap/api', authorization, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
}

async function accountOf(authorization: string): Promise<string> {
  const session = (await (await get('/jmap/session', authorization)).json()) as {
    primaryAccounts: Record<string, string>;
  };
  return session.primaryAccounts['urn:ietf:params:jmap:mail'] ?? '';
}

async function send(to: string, subject: string, from = 'you@example.org'): Promise<void> {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort });
  await transport.sendMail({ from, to, subject, text: 'text' });
  transport.close();
}

test('a client finds the session from the well-known address, with this door in its URLs', async () => {
  const wellKnown = await get('/.well-known/jmap');
  assert.equal(wellKnown.status, 307);
  assert.equal(wellKnown.headers.get('location'), '/jmap/session');
  const response = await get('/jmap/session', ALICE);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('cache-control') ?? '', /no-store/);
  const session = (await response.json()) as Record<string, string>;
  assert.equal(session.username, 'alice@cellpost.test');
  assert.equal(session.apiUrl, `${platform.webUrl}/jmap/api`);
  assert.equal(
    session.downloadUrl,
    `${platform.webUrl}/jmap/download/{accountId}/{blobId}/{name}?type={type}`,
  );
  assert.equal(session.uploadUrl, `${platform.webUrl}/jmap/upload/{accountId}`);
  assert.equal(
    session.eventSourceUrl,
    `${platform.webUrl}/jmap/eventsource?types={types}&closeafter={closeafter}&ping={ping}`,
  );
});

test('nobody gets in without the right password, and nobody learns which addresses there are', async () => {
  const refusals = [];
  for (const authorization of [
    undefined,
    'Bearer nonsense',
    basic('alice@cellpost.test', 'wrong'),
    basic('nobody@cellpost.test', 'demo'),
    basic('no address', 'demo'),
  ]) {
    for (const path of ['/jmap/session', '/jmap/eventsource', '/jmap/download/a/b/c']) {
      const response = await get(path, authorization);
      assert.equal(response.status, 401, `${path} as ${authorization}`);
      assert.match(response.headers.get('www-authenticate') ?? '', /^Basic realm="Cellpost"/);
      refusals.push(await response.text());
    }
  }
  assert.equal(new Set(refusals).size, 1, 'all refusals read the same');
});

test('wrong passwords are limited for an address, and the right one that is known goes on', async () => {
  const carol = basic('carol@cellpost.test', 'demo');
  assert.equal((await get('/jmap/session', carol)).status, 200);
  const statuses = [];
  for (let count = 0; count < 14; count++)
    statuses.push((await get('/jmap/session', basic('carol@cellpost.test', `guess ${count}`))).status);
  assert.equal(statuses.at(0), 401);
  assert.equal(statuses.at(-1), 429);
  const limited = await get('/jmap/session', basic('carol@cellpost.test', 'guess'));
  assert.ok(Number(limited.headers.get('retry-after')) >= 1);
  assert.equal((await get('/jmap/session', carol)).status, 200);
});

test('what is no JMAP request gets the errors of JMAP', async () => {
  const problem = async (response: Response): Promise<[number, string]> => [
    response.status,
    ((await response.json()) as { type: string }).type,
  ];
  assert.deepEqual(await problem(await api('{"using": [')), [400, 'urn:ietf:params:jmap:error:notJSON']);
  assert.deepEqual(await problem(await api('{"no": "request"}')), [
    400,
    'urn:ietf:params:jmap:error:notRequest',
  ]);
  const large = await api(`{"using":[],"methodCalls":[],"padding":"${'x'.repeat(10_000_001)}"}`);
  assert.equal(large.status, 413);
  const { type, limit } = (await large.json()) as { type: string; limit: string };
  assert.deepEqual([type, limit], ['urn:ietf:params:jmap:error:limit', 'maxSizeRequest']);
  const next = await api('{"using":["urn:ietf:params:jmap:core"],"methodCalls":[["Core/echo",{"a":1},"0"]]}');
  assert.deepEqual(((await next.json()) as { methodResponses: unknown }).methodResponses, [
    ['Core/echo', { a: 1 }, '0'],
  ]);
});

test('a blob goes up and comes down, whole, and only for its owner', async () => {
  const account = await accountOf(ALICE);
  const bytes = randomBytes(3_000_000);
  const upload = await get(`/jmap/upload/${account}`, ALICE, {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: bytes,
  });
  assert.equal(upload.status, 201);
  const { blobId, size, type } = (await upload.json()) as { blobId: string; size: number; type: string };
  assert.deepEqual([size, type], [bytes.length, 'image/png']);
  const path = `/jmap/download/${account}/${blobId}/${encodeURIComponent('a ü/b.html')}?type=text/html`;
  const download = await get(path, ALICE);
  assert.equal(download.status, 200);
  // Whatever somebody sends as a page must not run as one of ours.
  assert.match(download.headers.get('content-security-policy') ?? '', /sandbox/);
  assert.match(download.headers.get('content-disposition') ?? '', /^attachment/);
  assert.equal(download.headers.get('x-content-type-options'), 'nosniff');
  const hash = createHash('sha256').update(new Uint8Array(await download.arrayBuffer()));
  assert.equal(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'));
  assert.ok([401, 403, 404].includes((await get(path, BOB)).status));
});

test('an upload over the limit is refused, and the next request works', async () => {
  const account = await accountOf(ALICE);
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 1_000_000;
      if (sent > 60_000_000) controller.close();
      else controller.enqueue(new Uint8Array(1_000_000));
    },
  });
  const response = await get(`/jmap/upload/${account}`, ALICE, {
    method: 'POST',
    body: endless,
    duplex: 'half',
  } as RequestInit);
  assert.equal(response.status, 413);
  assert.equal(((await response.json()) as { limit: string }).limit, 'maxSizeUpload');
  assert.equal((await get('/jmap/session', ALICE)).status, 200);
});

test('bob sees nothing of what is alice’s', async () => {
  const account = await accountOf(ALICE);
  const response = await api(
    JSON.stringify({
      using: ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail'],
      methodCalls: [['Mailbox/get', { accountId: account, ids: null }, '0']],
    }),
    BOB,
  );
  const [[name, args]] = ((await response.json()) as { methodResponses: [[string, { type: string }]] })
    .methodResponses;
  assert.deepEqual([name, args.type], ['error', 'accountNotFound']);
  assert.notEqual((await get(`/jmap/upload/${account}`, BOB, { method: 'POST', body: 'x' })).status, 201);
});

test('what is unread and new is told to who signs in, by the counts service or the app server', async () => {
  assert.equal((await get('/counts')).status, 401);
  assert.equal((await get('/counts', basic('alice@cellpost.test', 'wrong'))).status, 401);
  type Counts = { unread: number; unseen: number };
  const counts = async (authorization: string, state = ''): Promise<Counts> =>
    (await (await get(`/counts?state=${state}`, authorization)).json()) as Counts;
  const [alice, bob] = [await counts(ALICE), await counts(BOB)];
  // Of a stranger it would lie in Other.
  await send('bob@cellpost.test', 'one more to count', 'bob@cellpost.test');
  const { unread, unseen } = await until(
    async () => {
      const now = await counts(BOB);
      return now.unread > bob.unread && now;
    },
    { timeoutMs: 20_000, what: 'the counts to follow' },
  );
  assert.deepEqual([unread, unseen], [bob.unread + 1, bob.unseen + 1]);
  assert.deepEqual(await counts(ALICE), alice);
  // No service can know a state of the future: the app server is asked, and tells what there is.
  assert.deepEqual(await counts(BOB, 's999999-0'), { unread, unseen });
  assert.deepEqual(await counts(BOB, 'nonsense'), { unread, unseen });
});

test('an event stream tells of new mail, and lives on when its app server is killed', async () => {
  const stop = new AbortController();
  try {
    const response = await get('/jmap/eventsource?types=*&closeafter=no&ping=1', ALICE, {
      signal: stop.signal,
    });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    const events = new EventLog(response);
    await send('alice@cellpost.test', 'one');
    await events.waitForState(1);
    const where = await platform.cellctl<Where>('where', 'alice@cellpost.test');
    const victim = (await platform.cellctl<Node[]>('nodes')).find((node) => node.node === where.node);
    assert.ok(victim);
    process.kill(victim.pid, 'SIGKILL');
    await send('alice@cellpost.test', 'two');
    await events.waitForState(2);
    const alice = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
    assert.deepEqual((await alice.subjects()).sort(), ['one', 'two']);
  } finally {
    stop.abort();
  }
});

test('every answer carries the headers that keep a browser out of trouble', async () => {
  for (const path of ['/', '/style.css', '/jmap/session', '/nothing', '/config.json']) {
    const response = await get(path);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff', path);
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/, path);
    assert.match(policy, /frame-ancestors 'none'/, path);
    assert.ok(!policy.includes('unsafe'), path);
    await response.body?.cancel();
  }
});

test('health and metrics are there', async () => {
  assert.equal(await (await get('/healthz')).text(), 'ok\n');
  assert.equal((await get('/readyz')).status, 200);
  const metrics = await (await get('/metrics')).text();
  assert.match(metrics, /cellpost_web_sign_ins_total\{outcome="accepted"\} [1-9]/);
  assert.match(
    metrics,
    /cellpost_web_request_duration_seconds_count\{route="GET \/jmap\/session",status="200"\} [1-9]/,
  );
});

/** Collects a stream's events in the background. */
class EventLog {
  text = '';
  constructor(response: Response) {
    void this.#read(response);
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) this.text += decoder.decode(chunk, { stream: true });
    } catch {
      // Aborted at the end of the test.
    }
  }

  async waitForState(count: number): Promise<void> {
    await until(() => (this.text.match(/^event: state$/gm)?.length ?? 0) >= count, {
      timeoutMs: 30_000,
      what: `${count} state events`,
    });
  }
}
