import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mboxMessage } from './mbox.ts';

const RECEIVED_MS = Date.UTC(2026, 10, 3, 9, 5, 2);
const made = (text: string, keywords: string[] = [], sender = 'carol@example.org'): string =>
  mboxMessage({ sender, receivedAtMs: RECEIVED_MS, keywords, bytes: Buffer.from(text, 'latin1') }).toString(
    'latin1',
  );

test('a message begins with its From line and ends with an empty line', () => {
  assert.equal(
    made('Subject: x\r\n\r\nHello\r\n'),
    'From carol@example.org Tue Nov  3 09:05:02 2026\nStatus: O\nSubject: x\n\nHello\n\n',
  );
  assert.ok(made('Subject: x\r\n\r\nno line end').endsWith('\nno line end\n\n'));
  assert.match(made('Subject: x\r\n\r\n', [], ''), /^From MAILER-DAEMON Tue/);
  assert.match(made('Subject: x\r\n\r\n', [], 'a b\r\nFrom x@y'), /^From abFromx@y Tue/);
});

test('lines that look like the start of a message are quoted, quoted ones once more', () => {
  const text = made('Subject: x\r\n\r\nFrom here\r\n>From there\r\n>>From far\r\nFrom\r\n From inside\r\n');
  assert.match(text, /\n>From here\n>>From there\n>>>From far\nFrom\n From inside\n/);
  assert.equal(text.match(/^From .*$/gm)?.length, 1);
});

test('keywords become Status, X-Status and X-Keywords; what the sender wrote there is dropped', () => {
  const text = made(
    'Subject: x\r\nStatus: RO\r\nX-Keywords: a\r\n b\r\nTo: y\r\n\r\nStatus: in the body\r\n',
    ['$answered', '$flagged', '$forwarded', '$seen', 'work'],
  );
  assert.match(
    text,
    /\nStatus: RO\nX-Status: AF\nX-Keywords: \$forwarded work\nSubject: x\nTo: y\n\nStatus: in the body\n/,
  );
});

test('the first message of a file tells which keywords there are, and no message where another ends', () => {
  const bytes = Buffer.from('Subject: x\r\nContent-Length: 3\r\nX-IMAPbase: 1 2\r\nX-UID: 7\r\n\r\ntext\r\n');
  const base = { uidValidity: 1_790_000_000, keywords: new Set(['work', '$seen', '$forwarded']) };
  const text = mboxMessage({
    sender: 'a@b',
    receivedAtMs: RECEIVED_MS,
    keywords: ['work'],
    base,
    bytes,
  }).toString();
  assert.match(
    text,
    /^From a@b [^\n]+\nX-IMAPbase: 1790000000 0000000000 work \$forwarded\nStatus: O\nX-Keywords: work\nSubject: x\n\ntext\n\n$/,
  );
});

test('any bytes come through, and a message without headers or body, too', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1');
  assert.ok(made(`Subject: x\r\n\r\n${bytes}`).includes(bytes));
  assert.match(made('\r\nbody only\r\n'), /\nStatus: O\n\nbody only\n\n$/);
  assert.match(made('Subject: no body'), /\nStatus: O\nSubject: no body\n\n$/);
});
