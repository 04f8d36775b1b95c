// Mail from real clients through the MTA proxy to real app servers, read back by JMAP. The proxy runs in this process,
// beside the one of an embedded platform.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { promisify } from 'node:util';
import nodemailer from 'nodemailer';
import { readNote } from '../../embedded/home.ts';
import { start } from '../../workloads/mta-proxy/main.ts';
import { closeAll, TestClient } from '../../workloads/mta-proxy/smtp/testing.ts';
import { openCells, type Cells } from '../../workloads/common/cell-client/cells.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { readFileSync } from 'node:fs';
import { basic, openJmap, type JmapClient } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

type Proxy = Awaited<ReturnType<typeof start>>;
type Email = {
  id: string;
  subject: string;
  preview: string;
  size: number;
  blobId: string;
  hasAttachment: boolean;
  from: { name: string | null; email: string }[];
  attachments: { blobId: string; name: string; type: string; size: number }[];
  bodyValues: Record<string, { value: string }>;
};

let platform: PlatformUnderTest;
let proxy: Proxy;
let cells: Cells;
let environment: NodeJS.ProcessEnv;
const inboxes = new Map<string, JmapClient>();

before(async () => {
  platform = await startPlatform({ CELLPOST_LOG_LEVEL: 'warn' });
  const discoveryUrl = readNote(platform.home)?.discoveryUrl ?? '';
  environment = {
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_SMTP_PORT: '0',
    CELLPOST_LMTP_PORT: '0',
    CELLPOST_SMTP_HOSTNAME: 'mx.test',
    CELLPOST_LOG_LEVEL: 'silent',
    CELLPOST_DISCOVERY_URL: discoveryUrl,
    CELLPOST_PLATFORM_TOKEN_FILE: join(platform.home, 'token'),
    CELLPOST_BLOB_STORE: `file:${join(platform.home, 'blobs')}`,
  };
  proxy = await start(environment);
  const token = readFileSync(join(platform.home, 'token'), 'utf8').trim();
  cells = await openCells({ discoveryUrl, token, logger: createLogger('test', 'silent') });
  for (const name of ['alice', 'bob', 'carol']) {
    inboxes.set(name, await openJmap(platform.webUrl, `${name}@cellpost.test`, 'demo'));
  }
});

after(async () => {
  await closeAll();
  await proxy?.close();
  await cells?.close();
  await platform?.[Symbol.asyncDispose]();
});

function inbox(name: string): JmapClient {
  const client = inboxes.get(name);
  assert.ok(client);
  return client;
}

/** Emails of a user with exactly this subject. */
async function find(name: string, subject: string): Promise<Email[]> {
  const { accountId, call } = inbox(name);
  const responses = await call(
    ['Email/query', { accountId, sort: [{ property: 'receivedAt', isAscending: false }], limit: 500 }, 'q'],
    [
      'Email/get',
      {
        accountId,
        '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' },
        properties: [
          'subject',
          'preview',
          'size',
          'blobId',
          'hasAttachment',
          'from',
          'attachments',
          'bodyValues',
        ],
        fetchTextBodyValues: true,
        maxBodyValueBytes: 1_000,
      },
      'g',
    ],
  );
  const [answer, result] = responses[1] ?? [];
  assert.equal(answer, 'Email/get', JSON.stringify(responses).slice(0, 1_000));
  return ((result?.list ?? []) as Email[]).filter((email) => email.subject === subject);
}

async function download(name: string, blobId: string): Promise<Buffer> {
  const { accountId } = inbox(name);
  const url = `${platform.webUrl}/jmap/download/${accountId}/${blobId}/x?type=application/octet-stream`;
  const response = await fetch(url, {
    headers: { authorization: basic(`${name}@cellpost.test`, 'demo') },
  });
  assert.equal(response.status, 200);
  return Buffer.from(await response.arrayBuffer());
}

/** Gives a whole message over one session. @returns the answer to its end */
async function deliver(
  raw: Buffer | string,
  recipients: string[],
  port = proxy.ports.smtp ?? 0,
): Promise<string> {
  const smtp = new TestClient(port);
  await smtp.begin(...recipients);
  const bytes = Buffer.from(raw);
  smtp.send(`BDAT ${bytes.length} LAST\r\n`);
  smtp.socket.write(bytes);
  const answer = await smtp.reply();
  smtp.send('QUIT\r\n');
  return answer;
}

test('nodemailer: text, HTML, names beyond ASCII and an attachment arrive as they were sent', async () => {
  const subject = `Grüße ${randomUUID()}`;
  const file = randomBytes(3_000);
  const transport = nodemailer.createTransport({
    host: '127.0.0.1',
    port: proxy.ports.smtp ?? 0,
    secure: false,
  });
  await transport.sendMail({
    from: '"Jörg Müller" <joerg@example.org>',
    to: 'alice@cellpost.test, bob@cellpost.test, carol@cellpost.test',
    subject,
    text: 'Schöne Grüße aus Köln €',
    html: '<p>Schöne Grüße aus <b>Köln</b> €</p>',
    attachments: [{ filename: 'naïve résumé.bin', content: file }],
  });
  transport.close();
  for (const name of ['alice', 'bob', 'carol']) {
    const [email, ...more] = await find(name, subject);
    assert.ok(email);
    assert.equal(more.length, 0);
    assert.deepEqual(email.from, [{ name: 'Jörg Müller', email: 'joerg@example.org' }]);
    assert.equal(email.preview, 'Schöne Grüße aus Köln €');
    assert.equal(email.hasAttachment, true);
    const [attachment] = email.attachments;
    assert.equal(attachment?.name, 'naïve résumé.bin');
    assert.deepEqual(await download(name, attachment?.blobId ?? ''), file);
    const raw = await download(name, email.blobId);
    assert.equal(raw.length, email.size);
    assert.match(
      raw.toString('latin1'),
      /^Return-Path: <joerg@example\.org>\r\nReceived: from \S+ \(\[127\.0\.0\.1\]\)\r\n\tby mx\.test with ESMTP id \S+;\r\n/,
    );
  }
});

test('a message of many megabytes goes by way of the blob store and comes back byte for byte', async () => {
  const subject = `large ${randomUUID()}`;
  const content = randomBytes(4_000_000);
  const encoded = content.toString('base64').replace(/.{76}/g, '$&\r\n');
  const raw = [
    `Subject: ${subject}`,
    'Message-ID: <large@example.org>',
    'Content-Type: application/octet-stream; name=large.bin',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment',
    '',
    encoded,
    '',
  ].join('\r\n');
  assert.match(await deliver(raw, ['alice@cellpost.test', 'bob@cellpost.test']), /^250/);
  for (const name of ['alice', 'bob']) {
    const [email] = await find(name, subject);
    assert.ok(email);
    assert.equal(email.attachments[0]?.size, content.length);
    const stored = await download(name, email.attachments[0]?.blobId ?? '');
    assert.equal(digest(stored), digest(content));
    assert.equal(
      (await download(name, email.blobId)).subarray(-Buffer.byteLength(raw)).toString('latin1'),
      raw,
    );
  }
});

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test('the same message again changes nothing; one without an id comes as often as it is sent', async () => {
  const subject = `twice ${randomUUID()}`;
  const raw = `Message-ID: <${subject}@x>\r\nSubject: ${subject}\r\n\r\nonce\r\n`;
  for (let i = 0; i < 3; i++) {
    assert.match(await deliver(raw, ['alice@cellpost.test', 'ALICE@Cellpost.Test']), /^250/);
  }
  assert.equal((await find('alice', subject)).length, 1);
  const anonymous = `anonymous ${randomUUID()}`;
  for (let i = 0; i < 2; i++) await deliver(`Subject: ${anonymous}\r\n\r\nx\r\n`, ['alice@cellpost.test']);
  assert.equal((await find('alice', anonymous)).length, 2);
});

test('LMTP answers for each recipient, and 1,000 times the same one is one copy', async () => {
  const subject = `lmtp ${randomUUID()}`;
  const lmtp = new TestClient(proxy.ports.lmtp ?? 0);
  assert.match(await lmtp.reply(), /^220 mx\.test LMTP/);
  assert.match(await lmtp.command('LHLO relay.test'), /^250/);
  await lmtp.command('MAIL FROM:<>');
  assert.match(await lmtp.command('RCPT TO:<nobody@cellpost.test>'), /^550 5\.1\.1/);
  lmtp.send('RCPT TO:<carol@cellpost.test>\r\n'.repeat(999));
  for (let i = 0; i < 999; i++) assert.match(await lmtp.reply(), /^250/);
  assert.match(await lmtp.command('RCPT TO:<carol@cellpost.test>'), /^452/);
  assert.match(await lmtp.command('DATA'), /^354/);
  lmtp.send(`Subject: ${subject}\r\n\r\nhello\r\n.\r\n`);
  for (let i = 0; i < 999; i++) assert.match(await lmtp.reply(), /^250 2\.0\.0/);
  assert.match(await lmtp.command('QUIT'), /^221/);
  assert.equal((await find('carol', subject)).length, 1);
});

test('whatever bytes are sent as a message are stored and can be read', async () => {
  const nested = Array.from(
    { length: 60 },
    (_, i) => `${i > 0 ? `--b${i - 1}\r\n` : ''}Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n`,
  ).join('');
  const bodies: Record<string, string> = {
    'no header': 'nothing that is a header\r\n',
    nested: `Subject: nested\r\n${nested}deep\r\n`,
    parts: `Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(3_000)}`,
    'long names': `Subject: long names\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${`--b\r\nContent-Type: text/x; name="${'é'.repeat(2_000)}"\r\n\r\nx\r\n`.repeat(990)}`,
    'zero bytes': 'Subject: zero bytes\r\n\r\n\0\0\0\r\n',
    'broken base64':
      'Subject: broken base64\r\nContent-Type: text/plain; charset=nonsense\r\nContent-Transfer-Encoding: base64\r\n\r\n====!!!!\r\n',
    'many addresses': `Subject: many addresses\r\nTo: ${Array.from({ length: 20_000 }, (_, i) => `a${i}@b.test`).join(',\r\n ')}\r\n\r\nx\r\n`,
    'half a surrogate': 'Subject: half a surrogate\r\nFrom: =?utf-16?q?=D8=00?= <a@b.test>\r\n\r\nx\r\n',
    'controls in names':
      'Subject: controls in names\r\nFrom: "=?utf-8?q?=00=0D=0AX:_y?=" <a@b.test>\r\n\r\nx\r\n',
  };
  for (const [name, raw] of Object.entries(bodies)) {
    assert.match(await deliver(Buffer.from(raw, 'latin1'), ['bob@cellpost.test']), /^250/, name);
    if (name !== 'no header') assert.equal((await find('bob', name)).length, 1, name);
  }
});

/** @returns why a program can't be used; undefined when it can */
async function missing(program: string, ...args: string[]): Promise<string | undefined> {
  return await promisify(execFile)(program, args).then(
    () => undefined,
    () => `${program} is not on this machine`,
  );
}

const PYTHON = `
import smtplib, sys
from email.message import EmailMessage
m = EmailMessage()
m['From'] = 'python@example.org'
m['To'] = 'alice@cellpost.test'
m['Subject'] = sys.argv[2]
m.set_content('Zażółć gęślą jaźń\\n.\\n..leading dots\\n', cte='8bit')
with smtplib.SMTP('127.0.0.1', int(sys.argv[1])) as s:
    s.ehlo()
    assert s.has_extn('8bitmime') and s.has_extn('smtputf8') and s.has_extn('chunking')
    s.send_message(m, mail_options=['BODY=8BITMIME', 'SMTPUTF8'])
    try:
        s.sendmail('python@example.org', ['nobody@cellpost.test'], 'x')
        sys.exit('nobody was taken')
    except smtplib.SMTPRecipientsRefused as error:
        assert error.recipients['nobody@cellpost.test'][0] == 550
    assert s.noop()[0] == 250
`;
const noPython = await missing('python3', '-c', 'import smtplib');

test("Python's smtplib sends eight bits and dots at the start of lines", { skip: noPython }, async () => {
  const subject = `python ${randomUUID()}`;
  await promisify(execFile)('python3', ['-c', PYTHON, String(proxy.ports.smtp), subject]);
  const [email] = await find('alice', subject);
  const value = Object.values(email?.bodyValues ?? {})[0]?.value;
  assert.equal(value, 'Zażółć gęślą jaźń\n.\n..leading dots\n');
});

const noCurl = await missing('curl', '--version');

test('curl sends a file', { skip: noCurl }, async () => {
  const { stderr } = await promisify(execFile)('curl', [
    '-sS',
    '--crlf',
    '--mail-from',
    'curl@example.org',
    '--mail-rcpt',
    'alice@cellpost.test',
    '-T',
    'README.md',
    `smtp://127.0.0.1:${proxy.ports.smtp}`,
  ]);
  assert.equal(stderr, '');
});

test('with the blob store away large mail is asked for again, small mail is taken', async () => {
  const lame = await start({
    ...environment,
    CELLPOST_BLOB_STORE: 's3://none?endpoint=http://127.0.0.1:9&region=us-east-1',
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
  try {
    const subject = `small ${randomUUID()}`;
    const large = `Subject: ${subject}\r\n\r\n${'x'.repeat(998)}\r\n`.repeat(200);
    assert.match(await deliver(large, ['alice@cellpost.test'], lame.ports.smtp), /^451/);
    assert.equal((await find('alice', subject)).length, 0);
    assert.match(
      await deliver(`Subject: ${subject}\r\n\r\nx\r\n`, ['alice@cellpost.test'], lame.ports.smtp),
      /^250/,
    );
    assert.equal((await find('alice', subject)).length, 1);
  } finally {
    await lame.close();
  }
});

test('a message that takes too long to parse is asked for again, and holds up nobody', async () => {
  const hasty = await start({ ...environment, CELLPOST_PARSE_TIMEOUT_MS: '500' });
  try {
    const subject = `hasty ${randomUUID()}`;
    // Quoted-printable is counted byte by byte.
    const long = `Subject: ${subject}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${'= =20 \t=\r\n'.repeat(2_500_000)}`;
    const [refusal, answer] = await Promise.all([
      deliver(long, ['alice@cellpost.test'], hasty.ports.smtp),
      deliver(`Subject: ${subject}\r\n\r\nx\r\n`, ['alice@cellpost.test'], hasty.ports.smtp),
    ]);
    assert.match(refusal, /^451/);
    assert.match(answer, /^250/);
    assert.equal((await find('alice', subject)).length, 1);
  } finally {
    await hasty.close();
  }
});

test('an owner killed in the middle loses nothing that was acknowledged, and doubles nothing', async () => {
  type Node = { node: string; pid: number; state: string };
  const owner = await platform.cellctl<{ node: string }>('where', 'alice@cellpost.test');
  const victim = (await platform.cellctl<Node[]>('nodes')).find((node) => node.node === owner.node);
  assert.ok(victim);
  const run = randomUUID();
  const acknowledged: string[] = [];
  for (let i = 0; i < 30; i++) {
    if (i === 10) process.kill(victim.pid, 'SIGKILL');
    const subject = `${run} ${i}`;
    const raw = `Message-ID: <${i}.${run}@x>\r\nSubject: ${subject}\r\n\r\n${i}\r\n`;
    // A client keeps trying what was answered by 4xx.
    await until(async () => (await deliver(raw, ['alice@cellpost.test'])).startsWith('250'), {
      timeoutMs: 60_000,
      what: 'the delivery to succeed',
    });
    acknowledged.push(subject);
  }
  for (const subject of acknowledged) assert.equal((await find('alice', subject)).length, 1, subject);
  await until(
    async () => (await platform.cellctl<Node[]>('nodes')).every((node) => node.state === 'serving'),
    { timeoutMs: 60_000, what: 'all app servers to serve again' },
  );
});

test('a cell that is out of service has its mail asked for again', async () => {
  const { cell } = await cells.where(`user:${inbox('bob').accountId}`);
  const coordination = await recordOf(cell);
  await cells.putCell(cell, { ...coordination, state: 'Disabled' });
  try {
    const smtp = new TestClient(proxy.ports.lmtp ?? 0);
    await smtp.reply();
    await smtp.command('LHLO x.test');
    await until(
      async () => {
        await smtp.command('RSET');
        await smtp.command('MAIL FROM:<a@b.test>');
        const verdict = await smtp.command('RCPT TO:<bob@cellpost.test>');
        if (verdict.startsWith('451')) return true;
        await smtp.command('DATA');
        return (await smtp.command('x: y\r\n\r\nz\r\n.')).startsWith('451 4.3.2');
      },
      { timeoutMs: 30_000, what: 'the cell to be out of service' },
    );
  } finally {
    await cells.putCell(cell, { ...coordination, state: 'Enabled' });
  }
  await until(async () => (await deliver('x: y\r\n\r\nz\r\n', ['bob@cellpost.test'])).startsWith('250'), {
    timeoutMs: 30_000,
    what: 'the cell to be in service again',
  });
});

async function recordOf(cell: string): Promise<{ dataCenter: string; coordination: string }> {
  const response = await fetch(`${environment.CELLPOST_DISCOVERY_URL}/v1/cells/${cell}`, {
    headers: { authorization: `Bearer ${readFileSync(join(platform.home, 'token'), 'utf8').trim()}` },
  });
  const { dataCenter, coordination } = (await response.json()) as {
    dataCenter: string;
    coordination: string;
  };
  return { dataCenter, coordination };
}

test('its health and its metrics are told', async () => {
  assert.equal((await fetch(`${proxy.url}/healthz`)).status, 200);
  assert.equal((await fetch(`${proxy.url}/readyz`)).status, 200);
  const metrics = await (await fetch(`${proxy.url}/metrics`)).text();
  assert.match(metrics, /cellpost_mta_proxy_delivery_duration_seconds_count\{outcome="delivered"\} [1-9]/);
  assert.match(metrics, /cellpost_mta_proxy_delivery_duration_seconds_count\{outcome="duplicate"\} [1-9]/);
  assert.match(metrics, /cellpost_mta_proxy_message_duration_seconds_count\{protocol="LMTP"\} [1-9]/);
  assert.match(metrics, /cellpost_mta_proxy_commands_total\{verb="BDAT"\} [1-9]/);
});
