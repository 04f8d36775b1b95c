// Mail authentication from the socket to the mailbox: really signed messages, a real name server, a real platform.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test, type TestContext } from 'node:test';
import { join } from 'node:path';
import { dkimSign, sealMessage } from 'mailauth';
import { readNote } from '../../embedded/home.ts';
import { start } from '../../workloads/mta-proxy/main.ts';
import { closeAll, TestClient } from '../../workloads/mta-proxy/smtp/testing.ts';
import { DnsServer } from '../support/dns-server.ts';
import { basic, openJmap, type JmapClient } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into any JSON
type Json = any;
type Proxy = Awaited<ReturnType<typeof start>>;

const KEY = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const KEY_RECORD = `v=DKIM1; k=rsa; p=${KEY.publicKey.toString('base64')}`;

let platform: PlatformUnderTest;
let dns: DnsServer;
let environment: NodeJS.ProcessEnv;
let junking: Proxy;
let rejecting: Proxy;
let inbox: JmapClient;

before(async () => {
  dns = await DnsServer.start();
  for (const domain of [
    'good.test',
    'strict.test',
    'soft.test',
    'list.test',
    'nodmarc.test',
    'key.servfail.test',
  ])
    dns.txt(`s1._domainkey.${domain}`, KEY_RECORD);
  dns.txt('_dmarc.good.test', 'v=DMARC1; p=none');
  dns.txt('_dmarc.strict.test', 'v=DMARC1; p=reject');
  dns.txt('_dmarc.soft.test', 'v=DMARC1; p=quarantine');
  dns.txt('good.test', 'v=spf1 ip4:127.0.0.1 -all');
  dns.txt('strict.test', 'v=spf1 ip4:192.0.2.1 -all');
  platform = await startPlatform({ CELLPOST_LOG_LEVEL: 'warn' });
  environment = {
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_SMTP_PORT: '0',
    CELLPOST_LMTP_PORT: '0',
    CELLPOST_SMTP_HOSTNAME: 'mx.test',
    CELLPOST_LOG_LEVEL: 'silent',
    CELLPOST_DISCOVERY_URL: readNote(platform.home)?.discoveryUrl ?? '',
    CELLPOST_PLATFORM_TOKEN_FILE: join(platform.home, 'token'),
    CELLPOST_BLOB_STORE: `file:${join(platform.home, 'blobs')}`,
    CELLPOST_DNS_SERVERS: dns.address,
    CELLPOST_TRUSTED_NETWORKS: 'none',
  };
  junking = await start(environment);
  rejecting = await start({ ...environment, CELLPOST_DMARC_ENFORCE: 'reject' });
  inbox = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
});

after(async () => {
  await closeAll();
  await junking?.close();
  await rejecting?.close();
  await platform?.[Symbol.asyncDispose]();
  dns?.close();
});

type Sent = { answer: string; folder: string | undefined; results: string; raw: string };

/** Sends a message and looks where it went. */
async function send(
  raw: Buffer | string,
  options: { from?: string; proxy?: Proxy; port?: number | undefined } = {},
): Promise<Sent> {
  const { from = 'someone@good.test', proxy = junking } = options;
  const port = options.port ?? proxy.ports.smtp ?? 0;
  const bytes = Buffer.from(raw);
  const smtp = new TestClient(port);
  await smtp.reply();
  const isLmtp = port === proxy.ports.lmtp;
  assert.match(await smtp.command(isLmtp ? 'LHLO client.test' : 'EHLO client.test'), /^250/);
  assert.match(await smtp.command(`MAIL FROM:<${from}>`), /^250/);
  assert.match(await smtp.command('RCPT TO:<alice@cellpost.test>'), /^250/);
  smtp.send(`BDAT ${bytes.length} LAST\r\n`);
  smtp.socket.write(bytes);
  const answer = await smtp.reply();
  smtp.send('QUIT\r\n');
  const stored = await newest(/^Subject: (.*)\r$/m.exec(bytes.toString('latin1'))?.[1] ?? '');
  const header = stored.raw.split('\r\n\r\n', 1)[0] ?? '';
  const results = /^Authentication-Results:(?:.*\r\n)(?:[ \t].*\r\n)*/m.exec(`${header}\r\n`)?.[0] ?? '';
  return { answer, ...stored, results: results.replace(/\r\n\s+/g, ' ') };
}

async function newest(subject: string): Promise<{ folder: string | undefined; raw: string }> {
  const { accountId, call } = inbox;
  const [, [, emails] = [], [, mailboxes] = []] = await call(
    ['Email/query', { accountId, sort: [{ property: 'receivedAt', isAscending: false }], limit: 50 }, 'q'],
    [
      'Email/get',
      {
        accountId,
        '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' },
        properties: ['subject', 'blobId', 'mailboxIds'],
      },
      'g',
    ],
    ['Mailbox/get', { accountId, ids: null, properties: ['role', 'name'] }, 'm'],
  );
  const list = emails?.list as { subject: string; blobId: string; mailboxIds: Record<string, boolean> }[];
  const email = list.find((each) => each.subject === subject);
  if (!email) return { folder: undefined, raw: '' };
  const boxes = mailboxes?.list as { id: string; role: string | null; name: string }[];
  const box = boxes.find(({ id }) => email.mailboxIds[id]);
  const url = `${platform.webUrl}/jmap/download/${accountId}/${email.blobId}/x?type=application/octet-stream`;
  const response = await fetch(url, { headers: { authorization: basic('alice@cellpost.test', 'demo') } });
  return {
    folder: box?.role ?? box?.name.toLowerCase(),
    raw: Buffer.from(await response.arrayBuffer()).toString('latin1'),
  };
}

function message(domain: string, body = 'hello\r\n', more = ''): Buffer {
  const id = randomUUID();
  return Buffer.from(
    `From: Someone <someone@${domain}>\r\nTo: alice@cellpost.test\r\nSubject: ${id}\r\nMessage-ID: <${id}@${domain}>\r\n${more}\r\n${body}`,
  );
}

async function signed(raw: Buffer, domain: string): Promise<Buffer> {
  const key = { signingDomain: domain, selector: 's1', privateKey: KEY.privateKey };
  // The types want the key once more than the signer does.
  const { signatures, errors } = await dkimSign(raw, { ...key, signatureData: [key] });
  assert.deepEqual(errors, []);
  return Buffer.concat([Buffer.from(signatures), raw]);
}

test('a signed message from where its domain says passes all, and the results stand on top of it', async () => {
  const sent = await send(await signed(message('good.test'), 'good.test'));
  assert.match(sent.answer, /^250/);
  assert.equal(sent.folder, 'other');
  assert.match(sent.raw, /^Authentication-Results: mx\.test;\r\n/);
  for (const method of ['dkim', 'spf', 'dmarc']) assert.match(sent.results, new RegExp(` ${method}=pass`));
  assert.match(sent.raw, /\r\nReturn-Path: <someone@good\.test>\r\nReceived: from client\.test /);
});

test('a large message is checked like a small one, and comes byte for byte', async () => {
  const raw = await signed(message('strict.test', `${'x'.repeat(998)}\r\n`.repeat(2_000)), 'strict.test');
  const sent = await send(raw, { from: 'someone@elsewhere.test' });
  assert.equal(sent.folder, 'other', sent.answer);
  assert.match(sent.results, / dkim=pass.* dmarc=pass/);
  assert.ok(sent.raw.endsWith(`\r\n${raw.toString('latin1')}`));
  const altered = Buffer.concat([raw, Buffer.from('more\r\n')]);
  const forged = await send(altered, { from: 'someone@elsewhere.test', proxy: rejecting });
  assert.match(forged.answer, /^550 5\.7\.1 Refused by the DMARC policy of strict\.test/);
});

test('a body that was altered fails: Junk or refusal as the domain asks and as it is set', async () => {
  const alter = async (domain: string): Promise<Buffer> =>
    Buffer.concat([await signed(message(domain), domain), Buffer.from('p.s.\r\n')]);
  const strict = await send(await alter('strict.test'), { from: 'x@elsewhere.test' });
  assert.match(strict.answer, /^250/);
  assert.equal(strict.folder, 'junk');
  assert.match(strict.results, / dkim=(?:fail|neutral).* dmarc=fail/);
  const refused = await send(await alter('strict.test'), { from: 'x@elsewhere.test', proxy: rejecting });
  assert.match(refused.answer, /^550 5\.7\.1 /);
  assert.equal(refused.folder, undefined);
  const quarantined = await send(await alter('soft.test'), { from: 'x@elsewhere.test', proxy: rejecting });
  assert.match(quarantined.answer, /^250/);
  assert.equal(quarantined.folder, 'junk');
  const lenient = await send(await alter('nodmarc.test'), { from: 'x@elsewhere.test', proxy: rejecting });
  assert.equal(lenient.folder, 'other');
  assert.match(lenient.results, / dkim=(?:fail|neutral)/);
});

test('a domain without records is taken as it is', async () => {
  const sent = await send(message('unknown.test'), { from: 'x@unknown.test', proxy: rejecting });
  assert.equal(sent.folder, 'other');
  assert.match(sent.results, / spf=none/);
});

test('name servers that fail or are silent refuse nobody', async () => {
  const raw = await signed(message('key.servfail.test'), 'key.servfail.test');
  const failing = await send(raw, { from: 'x@key.servfail.test', proxy: rejecting });
  assert.equal(failing.folder, 'other', failing.answer);
  assert.match(failing.results, / dkim=temperror/);
  assert.match(failing.results, / spf=temperror/);
  const silent = await send(message('silent.test'), { from: 'x@mail.silent.test', proxy: rejecting });
  assert.equal(silent.folder, 'other', silent.answer);
  assert.match(silent.results, / spf=temperror/);
});

test('results that claim to be ours are left out, those of others stay', async () => {
  const forged = [
    'Authentication-Results: mx.test; dmarc=pass header.from=bank.test',
    'authentication-results : (x) MX.test/1;\r\n dkim=pass',
    'Authentication-Results:\r\n "mx.test"; spf=pass',
    'Authentication-Results: mx.example.org; spf=neutral',
  ].join('\r\n');
  const sent = await send(message('unknown.test', 'x\r\n', `${forged}\r\n`));
  assert.equal(sent.folder, 'other');
  assert.equal(sent.raw.match(/^authentication-results/gim)?.length, 2);
  assert.match(sent.raw, /Authentication-Results: mx\.example\.org; spf=neutral\r\n/);
  assert.doesNotMatch(sent.raw, /bank\.test|dkim=pass|"mx/);
});

test('an ARC chain is followed, and one that was broken is told', async () => {
  const raw = message('strict.test');
  const seal = await sealMessage(raw, {
    signingDomain: 'list.test',
    selector: 's1',
    privateKey: KEY.privateKey,
    authResults: 'list.test; dkim=pass header.d=strict.test',
    cv: 'none',
  });
  const sealed = Buffer.concat([seal, raw]);
  const sent = await send(sealed, { from: 'bounce@list.test' });
  assert.match(sent.results, / arc=pass/);
  const broken = await send(Buffer.concat([sealed, Buffer.from('footer\r\n')]), { from: 'bounce@list.test' });
  assert.match(broken.results, / arc=fail/);
});

test('hostile messages are bounded in lookups, and taken', async () => {
  const before = dns.questions.length;
  const bombs = Array.from(
    { length: 3_000 },
    (_, i) => `DKIM-Signature: v=1; a=rsa-sha256; d=d${i}.bomb.test; s=s; h=from; bh=AAAA; b=AAAA`,
  );
  const many = await send(message('bomb.test', 'x\r\n', `${bombs.join('\r\n')}\r\n`), {
    from: 'x@bomb.test',
  });
  assert.match(many.answer, /^250/);
  assert.match(many.results, / dkim=permerror/);
  const huge = await send(message('bomb.test', 'x\r\n', `X-Huge: ${'y'.repeat(900)}\r\n`.repeat(2_000)));
  assert.match(huge.answer, /^250/);
  assert.ok(dns.questions.length - before < 30, `${dns.questions.length - before} questions`);
  for (let i = 0; i < 30; i++)
    dns.txt(`i${i}.loop.test`, `v=spf1 include:i${i + 1}.loop.test include:j${i}.loop.test -all`);
  const start = dns.questions.length;
  const loop = await send(message('loop.test'), { from: 'x@i0.loop.test' });
  assert.match(loop.results, / spf=permerror/);
  assert.ok(dns.questions.length - start < 30, `${dns.questions.length - start} questions`);
});

test('mail over LMTP and from trusted networks goes by as it is', async () => {
  const sent = await send(message('strict.test'), { port: junking.ports.lmtp });
  assert.equal(sent.folder, 'other');
  assert.equal(sent.results, '');
});

type Hook = { url: string; questions: Json[]; answer: { status: number; body: string; maxAge?: number } };

/** A policy hook of a test, over real HTTP. */
async function openHook(t: TestContext): Promise<Hook> {
  const hook: Hook = { url: '', questions: [], answer: { status: 200, body: '{"action":"accept"}' } };
  const server = createServer((request, response) => {
    request.setEncoding('utf8').once('data', (text: string) => {
      hook.questions.push(JSON.parse(text));
      const { status, body, maxAge } = hook.answer;
      response
        .writeHead(status, maxAge === undefined ? {} : { 'cache-control': `max-age=${maxAge}` })
        .end(body);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  hook.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/policy`;
  return hook;
}

async function startProxy(t: TestContext, more: NodeJS.ProcessEnv): Promise<Proxy> {
  const proxy = await start({ ...environment, ...more });
  t.after(() => proxy.close());
  return proxy;
}

test('the policy hook takes, files, refuses and defers, and is asked once while its answer holds', async (t) => {
  const hook = await openHook(t);
  const proxy = await startProxy(t, {
    CELLPOST_POLICY_URL: hook.url,
    CELLPOST_POLICY_ON_FAILURE: 'tempfail',
  });
  const from = 'x@unknown.test';
  const raw = (): Buffer => message('unknown.test');
  assert.equal((await send(raw(), { from, proxy })).folder, 'other');
  const [question] = hook.questions;
  assert.equal(question.clientAddress.replace('::ffff:', ''), '127.0.0.1');
  assert.deepEqual(
    [question.helo, question.mailFrom, question.rcptTo, question.authentication.spf],
    ['client.test', from, ['alice@cellpost.test'], 'none'],
  );
  assert.ok(question.sizeBytes > 100);
  assert.doesNotMatch(JSON.stringify(question), /hello/);
  hook.answer = { status: 200, body: '{"action":"junk"}', maxAge: 60 };
  for (let i = 0; i < 3; i++) assert.equal((await send(raw(), { from, proxy })).folder, 'junk');
  assert.equal(hook.questions.length, 2);
  const other = 'y@unknown.test';
  hook.answer = { status: 200, body: JSON.stringify({ action: 'reject', text: 'No\r\n250 ok, thanks' }) };
  assert.equal((await send(raw(), { from: other, proxy })).answer, '550 5.7.1 No 250 ok, thanks');
  hook.answer = { status: 200, body: '{"action":"tempfail"}' };
  assert.match((await send(raw(), { from: other, proxy })).answer, /^451 4\.7\.1 /);
  for (const answer of [
    { status: 500, body: '' },
    { status: 200, body: 'x' },
    { status: 200, body: `{"action":"accept","text":"${'x'.repeat(100_000)}"}` },
  ]) {
    hook.answer = answer;
    assert.match((await send(raw(), { from: other, proxy })).answer, /^451 4\.7\.1 /);
  }
});

test('a hook that is away has its answer given for it, and is left alone after some failures', async (t) => {
  const hook = await openHook(t);
  hook.answer = { status: 500, body: '' };
  const proxy = await startProxy(t, { CELLPOST_POLICY_URL: hook.url, CELLPOST_POLICY_ON_FAILURE: 'junk' });
  for (let i = 0; i < 8; i++) assert.equal((await send(message('unknown.test'), { proxy })).folder, 'junk');
  assert.equal(hook.questions.length, 5);
  const metrics = await (await fetch(`${proxy.url}/metrics`)).text();
  assert.match(metrics, /cellpost_mta_proxy_policy_total\{action="junk",source="failure"\} 8/);
});

test('too much mail from a sender or to a user is asked for later', async (t) => {
  const bySender = await startProxy(t, { CELLPOST_LIMIT_PER_SENDER: '2' });
  const smtp = new TestClient(bySender.ports.smtp ?? 0);
  await smtp.reply();
  await smtp.command('EHLO client.test');
  await smtp.command('MAIL FROM:<much@b.test>');
  const asked = ['alice', 'bob', 'carol'].map((name) => `RCPT TO:<${name}@cellpost.test>`);
  const answers: string[] = [];
  for (const line of asked) answers.push(await smtp.command(line));
  assert.match(answers.join('\n'), /^250 .*\n250 .*\n450 4\.7\.1 Too many messages from this sender/);
  await smtp.command('RSET');
  await smtp.command('MAIL FROM:<other@b.test>');
  assert.match(await smtp.command(asked[2] ?? ''), /^250/);
  const byRecipient = await startProxy(t, { CELLPOST_LIMIT_PER_RECIPIENT: '1' });
  assert.match((await send(message('unknown.test'), { proxy: byRecipient })).answer, /^250/);
  const full = new TestClient(byRecipient.ports.smtp ?? 0);
  await full.reply();
  await full.command('EHLO client.test');
  await full.command('MAIL FROM:<third@b.test>');
  assert.match(await full.command(asked[0] ?? ''), /^450 4\.2\.1 This mailbox gets too much mail/);
  assert.match(await full.command(asked[1] ?? ''), /^250/);
});

test('a sender whom the user has blocked is refused, and told nothing of why', async () => {
  const headers = { authorization: basic('alice@cellpost.test', 'demo'), 'content-type': 'application/json' };
  const set = async (blockedAddresses: string[]): Promise<void> => {
    const update = { singleton: { blockedAddresses } };
    const response = await fetch(`${platform.webUrl}/jmap/api`, {
      method: 'POST',
      headers,
      body: JSON.stringify({
        using: ['urn:ietf:params:jmap:core', 'urn:cellpost:privacy'],
        methodCalls: [['PrivacySettings/set', { accountId: inbox.accountId, update }, '0']],
      }),
    });
    assert.match(await response.text(), /"updated":\{"singleton":null\}/);
  };
  await set(['eve@unknown.test']);
  const refused = await send(message('unknown.test'), { from: 'eve@unknown.test' });
  assert.equal(refused.answer, '550 5.7.1 The recipient takes no mail from this sender');
  assert.equal(refused.folder, undefined);
  await set([]);
  assert.equal((await send(message('unknown.test'), { from: 'eve@unknown.test' })).folder, 'other');
});
