import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { createLogger } from '../../common/log.ts';
import { decodeMessageBytes } from '../../common/mime/message-wire.ts';
import { parseMessage } from '../../common/mime/parser.ts';
import { ParserThread } from './parser-thread.ts';

const logger = createLogger('test', 'silent');
const open: ParserThread[] = [];
after(async () => {
  await Promise.all(open.map((thread) => thread.close()));
});

function startThread(deadlineMs = 60_000): ParserThread {
  const thread = new ParserThread(deadlineMs, logger);
  open.push(thread);
  return thread;
}

const trace = Buffer.from('Return-Path: <a@b.test>\r\n');
const content = Buffer.from(
  'Subject: x\r\nMessage-ID: <1@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n',
);
/** Quoted-printable is counted byte by byte: this takes long. */
const slow = Buffer.from(
  `Content-Transfer-Encoding: quoted-printable\r\n\r\n${'= =20 \t=\r\n'.repeat(2_500_000)}`,
);

test('a message parses the same in one piece and in many; the digest leaves the trace headers out', async () => {
  const thread = startThread();
  const whole = await thread.open().end({ trace, bytes: content });
  const pieces = thread.open();
  await pieces.write({ trace });
  for (const byte of content) await pieces.write({ bytes: Uint8Array.of(byte) });
  const parsed = await pieces.end();
  assert.deepEqual(parsed, whole);
  assert.deepEqual(decodeMessageBytes(whole.message), parseMessage(Buffer.concat([trace, content])));
  assert.equal(whole.sizeBytes, trace.length + content.length);
  assert.equal(whole.hasMessageId, true);
  assert.deepEqual(Buffer.from(whole.digest), createHash('sha256').update(content).digest());
});

test('many messages at once are each parsed for themselves', async () => {
  const thread = startThread();
  const streams = Array.from({ length: 50 }, () => thread.open());
  await Promise.all(streams.map((stream, i) => stream.write({ bytes: Buffer.from(`Subject: ${i}\r\n`) })));
  streams[7]?.abort();
  const results = await Promise.all(
    streams.map((stream, i) => (i === 7 ? undefined : stream.end({ bytes: Buffer.from('\r\nbody\r\n') }))),
  );
  for (const [i, parsed] of results.entries())
    if (parsed) assert.equal(decodeMessageBytes(parsed.message)?.headers.subject, String(i));
});

test('a message that takes too long is given up; those behind it are parsed by a new thread', async () => {
  const thread = startThread(500);
  // The first one waits for the thread to start, which is no time of its own.
  await thread.open().end({ bytes: content });
  const begun = thread.open();
  await begun.write({ bytes: content });
  const stuck = assert.rejects(thread.open().end({ bytes: slow }), { name: 'ParseFailed' });
  const behind = Array.from({ length: 5 }, () => thread.open().end({ bytes: content }));
  await stuck;
  for (const parsed of await Promise.all(behind)) assert.equal(parsed.sizeBytes, content.length);
  await assert.rejects(begun.end(), { name: 'ParseFailed' });
});

test('the pieces of a message share its time', async () => {
  const thread = startThread(500);
  const stream = thread.open();
  const feed = async (): Promise<void> => {
    for (let at = 0; at < slow.length; at += 65_536)
      await stream.write({ bytes: new Uint8Array(slow.subarray(at, at + 65_536)) });
    await stream.end();
  };
  await assert.rejects(feed(), { name: 'ParseFailed' });
  assert.equal((await thread.open().end({ bytes: content })).sizeBytes, content.length);
});

test('close fails what waits', async () => {
  const thread = startThread();
  const waiting = assert.rejects(thread.open().end({ bytes: content }), { name: 'ParseFailed' });
  await thread.close();
  await waiting;
  await assert.rejects(thread.open().end({ bytes: content }), { name: 'ParseFailed' });
});
