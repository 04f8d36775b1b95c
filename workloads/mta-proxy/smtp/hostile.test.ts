// What clients do to a server that they should not.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import { until } from '../../../test/support/wait.ts';
import { DotDecoder, LineBreakCheck } from './content.ts';
import { aborted, client, closeAll, listen, memorySink, stored, TestClient } from './testing.ts';

const DEADLINE = { timeoutMs: 20_000 };

afterEach(closeAll);

test('whatever follows QUIT in the same packet, the goodbye arrives and nothing of it is done', async () => {
  const smtp = await client();
  smtp.send('EHLO x.test\r\nQUIT\r\nMAIL FROM:<a@b.test>\r\n');
  assert.match(await smtp.reply(), /^220/);
  assert.match(await smtp.reply(), /^250/);
  assert.match(await smtp.reply(), /^221/);
  assert.equal(await smtp.reply(), '');
});

test('far more than the limit is refused for good, not for later: in DATA and in BDAT', async () => {
  const listener = await listen({ maxMessageBytes: 10_000 });
  const streaming = new TestClient(listener.port);
  await streaming.begin('alice@x.test');
  await streaming.command('DATA');
  streaming.send(`${'x'.repeat(98)}\r\n`.repeat(2_000));
  assert.match(await streaming.reply(), /^552 5\.3\.4/);
  const announcing = new TestClient(listener.port);
  await announcing.begin('alice@x.test');
  assert.match(await announcing.command('BDAT 999999999 LAST'), /^552 5\.3\.4/);
  assert.equal(await announcing.reply(), '');
  const slightly = new TestClient(listener.port);
  await slightly.begin('alice@x.test');
  slightly.send(`BDAT 12000\r\n${'x'.repeat(12_000)}`);
  assert.match(await slightly.reply(), /^250/);
  assert.match(await slightly.command('BDAT 0 LAST'), /^552 5\.3\.4/);
  assert.match(await slightly.command('NOOP'), /^250/);
  assert.deepEqual(stored, []);
});

test('50 MB are thrown away as they come, and the next message is taken', async () => {
  const smtp = await client();
  await smtp.begin('alice@x.test');
  await smtp.command('DATA');
  const block = Buffer.alloc(1_000_000, `${'x'.repeat(98)}\r\n`);
  for (let i = 0; i < 50; i++) if (!smtp.socket.write(block)) await once(smtp.socket, 'drain');
  assert.match(await smtp.command('.'), /^552 5\.3\.4/);
  assert.match(await smtp.command('MAIL FROM:<a@b.test>'), /^250/);
  assert.match(await smtp.command('RCPT TO:<alice@x.test>'), /^250/);
  await smtp.command('DATA');
  assert.match(await smtp.command('x\r\n.'), /^250/);
  assert.deepEqual(
    stored.map((message) => message.content),
    ['x\r\n'],
  );
});

test('a session that only lasts ends in 421', async () => {
  const smtp = await client({ sessionTimeoutMs: 0 });
  await smtp.reply();
  assert.match(await smtp.command('NOOP'), /^250/);
  assert.match(await smtp.reply(), /^421/);
});

test('a message cut off in DATA or between two chunks is forgotten', async () => {
  const listener = await listen();
  const inData = new TestClient(listener.port);
  await inData.begin('alice@x.test');
  await inData.command('DATA');
  inData.send('half\r\n');
  inData.socket.end();
  const inChunks = new TestClient(listener.port);
  await inChunks.begin('alice@x.test');
  await inChunks.command('BDAT 3\r\nabc');
  inChunks.socket.resetAndDestroy();
  await until(() => aborted.count === 2 && listener.sessions() === 0, DEADLINE);
  assert.deepEqual(stored, []);
});

test('while the sink is slow the client is held back, and no more than a little is kept in memory', async () => {
  let release = (): void => undefined;
  const opened = new Promise<void>((resolve) => (release = resolve));
  let taken = 0;
  const listener = await listen({}, false, {
    ...memorySink,
    message: () => ({
      async write(chunk) {
        await opened;
        taken += chunk.length;
      },
      deliver: async () => [true],
      abort: async () => undefined,
    }),
  });
  const smtp = new TestClient(listener.port);
  await smtp.begin('alice@x.test');
  await smtp.command('DATA');
  const block = Buffer.alloc(1024 * 1024, `${'x'.repeat(62)}\r\n`);
  // More than the buffers of both ends hold: the client's own queue must grow.
  for (let i = 0; i < 20; i++) smtp.socket.write(block);
  await until(() => smtp.socket.bytesWritten > 0 && smtp.socket.writableLength > 10 * 1024 * 1024, DEADLINE);
  const stuck = smtp.socket.writableLength;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(smtp.socket.writableLength, stuck);
  release();
  assert.match(await smtp.command('.'), /^250/);
  assert.equal(taken, 20 * block.length);
});

test('a client that does not read its replies is not listened to for ever', async () => {
  const listener = await listen({ dataTimeoutMs: 200, commandTimeoutMs: 200 });
  const deaf = new TestClient(listener.port);
  await deaf.reply();
  deaf.socket.pause();
  const flood = Buffer.from('HELP\r\n'.repeat(20_000));
  const closed = once(deaf.socket, 'close');
  while (!deaf.socket.destroyed && listener.sessions() > 0) {
    deaf.socket.write(flood);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(listener.sessions(), 0);
  deaf.socket.destroy();
  await closed;
});

test('a command that grows byte by byte without an end is swallowed, then answered', async () => {
  const smtp = await client();
  await smtp.reply();
  for (let i = 0; i < 300; i++) {
    smtp.send('x'.repeat(10));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.match(await smtp.command(''), /^500 5\.5\.2/);
  assert.match(await smtp.command('NOOP'), /^250/);
});

test('close cuts off who does not come to an end', async () => {
  const listener = await listen({ closeDeadlineMs: 100 });
  const stalled = new TestClient(listener.port);
  await stalled.begin('alice@x.test');
  await stalled.command('DATA');
  stalled.send('never ending\r\n');
  await listener.close();
  await until(() => listener.sessions() === 0, DEADLINE);
  assert.deepEqual(stored, []);
});

test('more transactions than a session may have end in 421', async () => {
  const smtp = await client({ maxTransactions: 1 });
  await smtp.begin('alice@x.test');
  await smtp.command('RSET');
  assert.match(await smtp.command('MAIL FROM:<a@b.test>'), /^421/);
  assert.equal(await smtp.reply(), '');
});

/** What a decoder finds in `wire`, cut into chunks. */
function decode(
  wire: Buffer,
  cuts: readonly number[],
): { content: string; rest: string | undefined; bare: boolean } {
  const decoder = new DotDecoder();
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < wire.length && !decoder.ended; i++) {
    const chunk = wire.subarray(at, at + (cuts[i % cuts.length] ?? 1));
    for (const piece of decoder.push(chunk)) pieces.push(Buffer.from(piece));
    at += decoder.ended ? decoder.consumed : chunk.length;
  }
  return {
    content: Buffer.concat(pieces).toString('latin1'),
    rest: decoder.ended ? wire.toString('latin1', at) : undefined,
    bare: decoder.check.bare,
  };
}

test('content ends at the first CRLF dot CRLF and nowhere else, however it is cut', () => {
  const wire = fc
    .array(fc.constantFrom('\r\n', '\r', '\n', '.', '\r\n.', '\r\n.\r\n', 'a', '..', '\0'), { maxLength: 30 })
    .map((parts) => parts.join(''));
  const cuts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(wire, cuts, (text, sizes) => {
      const found = decode(Buffer.from(text, 'latin1'), sizes);
      // The start of the content is the start of a line.
      const padded = `\r\n${text}`;
      const end = padded.indexOf('\r\n.\r\n');
      assert.equal(found.rest, end === -1 ? undefined : padded.slice(end + 5));
      if (end === -1) return;
      const lines = padded.slice(0, end).replaceAll('\r\n.', '\r\n').slice(2);
      const expected = end === 0 ? '' : `${lines}\r\n`;
      assert.equal(found.content, expected);
      assert.equal(found.bare, /\r(?!\n)|(?<!\r)\n/.test(expected));
    }),
    { numRuns: 2_000 },
  );
});

test('bare line breaks are found wherever chunks end', () => {
  const text = fc
    .array(fc.constantFrom('\r\n', '\r', '\n', 'a'), { maxLength: 20 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 4 }), (content, size) => {
      const check = new LineBreakCheck();
      const bytes = Buffer.from(`${content}\r\n`);
      for (let at = 0; at < bytes.length; at += size) check.push(bytes.subarray(at, at + size));
      assert.equal(check.bare, /\r(?!\n)|(?<!\r)\n/.test(`${content}\r\n`));
    }),
  );
});
