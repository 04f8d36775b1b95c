// The engine over real sockets, with a sink that keeps what it is given.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { client, closeAll, listen, stored, TestClient } from './testing.ts';

afterEach(closeAll);

test('a message arrives as it was sent, its transparency dots removed', async () => {
  const smtp = await client();
  await smtp.begin('alice@x.test', 'bob@x.test');
  assert.match(await smtp.command('DATA'), /^354/);
  assert.match(await smtp.command('Subject: x\r\n\r\n..dot\r\n...\r\n.'), /^250 2\.0\.0/);
  assert.deepEqual(stored, [
    {
      mailFrom: 'a@b.test',
      recipients: ['alice@x.test', 'bob@x.test'],
      content: 'Subject: x\r\n\r\n.dot\r\n..\r\n',
      protocol: 'ESMTP',
    },
  ]);
  assert.match(await smtp.command('QUIT'), /^221/);
  assert.equal(await smtp.reply(), '');
});

test('EHLO announces what the engine can do', async () => {
  const smtp = await client();
  await smtp.reply();
  const greeting = await smtp.command('EHLO [127.0.0.1]');
  for (const word of [
    'PIPELINING',
    'SIZE 26214400',
    '8BITMIME',
    'SMTPUTF8',
    'ENHANCEDSTATUSCODES',
    'CHUNKING',
  ]) {
    assert.ok(greeting.includes(word), word);
  }
});

test('commands out of order get 503, unknown ones 500, bad arguments 501, and the session goes on', async () => {
  const smtp = await client();
  await smtp.reply();
  assert.match(await smtp.command('MAIL FROM:<a@b.test>'), /^503/);
  assert.match(await smtp.command('EHLO'), /^501/);
  assert.match(await smtp.command('EHLO x.test'), /^250/);
  assert.match(await smtp.command('RCPT TO:<alice@x.test>'), /^503/);
  assert.match(await smtp.command('DATA'), /^503/);
  assert.match(await smtp.command('MAIL TO:<a@b.test>'), /^501/);
  assert.match(await smtp.command('MAIL FROM:<a@b.test> WHAT=1'), /^555/);
  assert.match(await smtp.command('MAIL FROM:<a@b.test>'), /^250/);
  assert.match(await smtp.command('MAIL FROM:<a@b.test>'), /^503/);
  assert.match(await smtp.command('DATA'), /^554/);
  assert.match(await smtp.command('RCPT TO:<no address>'), /^501/);
  assert.match(await smtp.command('RCPT TO:<nobody@x.test>'), /^550 5\.1\.1/);
  assert.match(await smtp.command('FROB'), /^500/);
  assert.match(await smtp.command('constructor'), /^500/);
  assert.match(await smtp.command('LHLO x'), /^500/);
  assert.match(await smtp.command('VRFY alice'), /^252/);
  assert.match(await smtp.command(`NOOP ${'x'.repeat(5_000)}`), /^500/);
  assert.match(await smtp.command('RSET'), /^250/);
  assert.match(await smtp.command('NOOP'), /^250/);
});

test('smuggled ends of a message end nothing, and the message is refused', async () => {
  for (const end of ['\n.\n', '\n.\r\n', '\r.\r', '\r\n.\n', '\r\n.\r', '\n\n.\r\n', '\r.\r\n']) {
    const smtp = await client();
    await smtp.begin('alice@x.test');
    await smtp.command('DATA');
    const smuggled = 'MAIL FROM:<evil@b.test>\r\nRCPT TO:<bob@x.test>\r\nDATA\r\nbad\r\n';
    assert.match(await smtp.command(`first${end}${smuggled}\r\n.`), /^550 5\.6\.0/, JSON.stringify(end));
    assert.match(await smtp.command('NOOP'), /^250/);
    assert.deepEqual(stored, []);
  }
});

test('content and commands may come in one packet or byte by byte', async () => {
  const text =
    'EHLO x.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@x.test>\r\nRCPT TO:<nobody@x.test>\r\nDATA\r\na\r\n..b\r\n.\r\nNOOP\r\nQUIT\r\n';
  const codes = ['220', '250', '250', '250', '550', '354', '250', '250', '221'];
  const packet = await client();
  packet.send(text);
  for (const code of codes) assert.equal((await packet.reply()).slice(0, 3), code);
  const bytes = await client();
  bytes.socket.setNoDelay(true);
  const sending = (async () => {
    for (const char of text) {
      bytes.send(char);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (const code of codes) assert.equal((await bytes.reply()).slice(0, 3), code);
  await sending;
  assert.deepEqual(
    stored.map((message) => message.content),
    ['a\r\n.b\r\n', 'a\r\n.b\r\n'],
  );
});

test('BDAT takes chunks, zero bytes and pipelined commands after them; misuse is told', async () => {
  const smtp = await client();
  await smtp.begin('alice@x.test');
  assert.match(await smtp.command('BDAT 6\r\na\r\n.'), /^250/);
  assert.match(await smtp.command('DATA'), /^503/);
  assert.match(await smtp.command('RCPT TO:<bob@x.test>'), /^503/);
  smtp.send('BDAT 2\r\n\r\nBDAT 0 LAST\r\n');
  assert.match(await smtp.reply(), /^250/);
  assert.match(await smtp.reply(), /^250/);
  assert.equal(stored[0]?.content, 'a\r\n.\r\n\r\n');
  assert.match(await smtp.command('BDAT 5\r\nabc'), /^503/);
  assert.match(await smtp.command('BDAT many'), /^501/);
  assert.equal(await smtp.reply(), '');
});

test('a message over the limit is refused at MAIL, and while it streams, and the next command works', async () => {
  const smtp = await client({ maxMessageBytes: 100_000 });
  await smtp.reply();
  await smtp.command('EHLO x.test');
  assert.match(await smtp.command('MAIL FROM:<a@b.test> SIZE=100001'), /^552 5\.3\.4/);
  assert.match(await smtp.command('MAIL FROM:<a@b.test> SIZE=5'), /^250/);
  await smtp.command('RCPT TO:<alice@x.test>');
  await smtp.command('DATA');
  assert.match(await smtp.command(`${`${'x'.repeat(998)}\r\n`.repeat(150)}.`), /^552 5\.3\.4/);
  assert.match(await smtp.command('NOOP'), /^250/);
  assert.deepEqual(stored, []);
});

test('50 MB into a small limit is cut off, and the server lives', async () => {
  const listener = await listen({ maxMessageBytes: 1_000_000 });
  const smtp = new TestClient(listener.port);
  await smtp.begin('alice@x.test');
  await smtp.command('DATA');
  const line = Buffer.alloc(1_000_000, `${'x'.repeat(98)}\r\n`);
  for (let i = 0; i < 50 && !smtp.socket.destroyed && smtp.socket.writable; i++) {
    // It may be cut off at any time.
    if (!smtp.socket.write(line)) await once(smtp.socket, 'drain').catch(() => undefined);
  }
  assert.deepEqual(stored, []);
  const next = new TestClient(listener.port);
  await next.begin('bob@x.test');
});

test('recipients beyond the maximum get 452, the others their mail', async () => {
  const smtp = await client({ maxRecipients: 1_000 });
  await smtp.begin();
  smtp.send(Array.from({ length: 1_001 }, (_, i) => `RCPT TO:<u${i}@x.test>\r\n`).join(''));
  const replies: string[] = [];
  for (let i = 0; i < 1_001; i++) replies.push(await smtp.reply());
  assert.equal(replies.filter((reply) => reply.startsWith('250')).length, 1_000);
  assert.match(replies.at(-1) ?? '', /^452 4\.5\.3/);
  await smtp.command('DATA');
  assert.match(await smtp.command('x\r\n.'), /^250/);
  assert.equal(stored[0]?.recipients.length, 1_000);
});

test('SMTP asks to send again when one copy may come later; LMTP answers for each recipient', async () => {
  const smtp = await client();
  await smtp.begin('alice@x.test', 'full@x.test');
  await smtp.command('DATA');
  assert.match(await smtp.command('x\r\n.'), /^452 4\.2\.2/);
  await smtp.command('MAIL FROM:<a@b.test>');
  for (const name of ['gone', 'alice', 'full']) await smtp.command(`RCPT TO:<${name}@x.test>`);
  await smtp.command('DATA');
  assert.match(await smtp.command('x\r\n.'), /^452 4\.2\.2/);
  await smtp.command('MAIL FROM:<a@b.test>');
  for (const name of ['alice', 'gone']) await smtp.command(`RCPT TO:<${name}@x.test>`);
  await smtp.command('DATA');
  assert.match(await smtp.command('x\r\n.'), /^550 5\.1\.1/);
  const lmtp = await client({}, true);
  await lmtp.reply();
  assert.match(await lmtp.command('EHLO x'), /^500/);
  assert.match(await lmtp.command('LHLO x'), /^250/);
  await lmtp.command('MAIL FROM:<>');
  await lmtp.command('RCPT TO:<alice@x.test>');
  await lmtp.command('RCPT TO:<full@x.test>');
  await lmtp.command('DATA');
  assert.match(await lmtp.command('x\r\n.'), /^250/);
  assert.match(await lmtp.reply(), /^452/);
});

test('a client that says nothing gets 421; one that is gone in the middle leaves nothing', async () => {
  const listener = await listen({ commandTimeoutMs: 50, dataTimeoutMs: 50 });
  const idle = new TestClient(listener.port);
  assert.match(await idle.reply(), /^220/);
  assert.match(await idle.reply(), /^421 4\.4\.2/);
  const slow = await client({ dataTimeoutMs: 50 });
  await slow.begin('alice@x.test');
  await slow.command('DATA');
  slow.send('half');
  assert.match(await slow.reply(), /^421/);
  const gone = await client();
  await gone.begin('alice@x.test');
  await gone.command('DATA');
  gone.send('half\r\n');
  gone.socket.destroy();
  assert.deepEqual(stored, []);
});

test('a half-closed connection still gets the answers to what it sent', async () => {
  const smtp = await client();
  await smtp.begin('alice@x.test');
  await smtp.command('DATA');
  smtp.socket.end('x\r\n.\r\n');
  assert.match(await smtp.reply(), /^250/);
  assert.equal(await smtp.reply(), '');
  assert.equal(stored.length, 1);
});

test('too many errors and too many connections end in 421', async () => {
  const listener = await listen({ maxErrors: 3, maxConnectionsPerAddress: 2 });
  const first = new TestClient(listener.port);
  await first.reply();
  const second = new TestClient(listener.port);
  await second.reply();
  assert.match(await new TestClient(listener.port).reply(), /^421 4\.7\.0/);
  await first.command('X');
  await first.command('X');
  await first.command('X');
  assert.match(await first.reply(), /^421/);
});

test('floods without line breaks and zero bytes are cut off', async () => {
  const smtp = await client();
  await smtp.reply();
  smtp.send('x'.repeat(200_000));
  assert.equal(await smtp.reply(), '');
  const zeros = await client();
  await zeros.reply();
  assert.match(await zeros.command('\0\0\0'), /^500/);
});

test('close says 421 to the idle and lets a transaction finish', async () => {
  const listener = await listen();
  const idle = new TestClient(listener.port);
  await idle.reply();
  const busy = new TestClient(listener.port);
  await busy.begin('alice@x.test');
  await busy.command('DATA');
  busy.send('x\r\n');
  const closing = listener.close();
  assert.match(await idle.reply(), /^421 4\.3\.2/);
  assert.match(await busy.command('.'), /^250/);
  assert.match(await busy.reply(), /^421 4\.3\.2/);
  await closing;
  assert.equal(stored.length, 1);
});
