import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectBodies } from './bodies.ts';
import { parseMessage } from './parser.ts';
import type { Part } from './message.ts';

type Leaf = [name: string, type: string, disposition?: string];
type Tree = Leaf | { type: string; parts: Tree[] };

let boundaries = 0;

function write(tree: Tree): string {
  if (Array.isArray(tree)) {
    const [name, type, disposition] = tree;
    const more = disposition ? `Content-Disposition: ${disposition}\r\n` : '';
    return `Content-Type: ${type}\r\nContent-ID: <${name}>\r\n${more}\r\nbody of ${name}`;
  }
  const boundary = `b${++boundaries}`;
  const parts = tree.parts.map((part) => `--${boundary}\r\n${write(part)}\r\n`).join('');
  return `Content-Type: ${tree.type}; boundary=${boundary}\r\n\r\n${parts}--${boundary}--`;
}

function select(tree: Tree): { text: string; html: string; attachments: string; hasAttachment: boolean } {
  const message = parseMessage(Buffer.from(write(tree)));
  const names = (parts: Part[]): string => parts.map((part) => part.cid).join(' ');
  const { text, html, attachments } = selectBodies(message.structure);
  return {
    text: names(text),
    html: names(html),
    attachments: names(attachments),
    hasAttachment: message.hasAttachment,
  };
}

test('the example of RFC 8621 section 4.1.4 comes out as it says', () => {
  const tree: Tree = {
    type: 'multipart/mixed',
    parts: [
      ['A', 'text/plain', 'inline'],
      {
        type: 'multipart/mixed',
        parts: [
          {
            type: 'multipart/alternative',
            parts: [
              {
                type: 'multipart/mixed',
                parts: [
                  ['B', 'text/plain', 'inline'],
                  ['C', 'image/jpeg', 'inline'],
                  ['D', 'text/plain', 'inline'],
                ],
              },
              {
                type: 'multipart/related',
                parts: [
                  ['E', 'text/html'],
                  ['F', 'image/jpeg'],
                ],
              },
            ],
          },
          ['G', 'image/jpeg', 'attachment'],
          ['H', 'application/x-excel'],
          ['J', 'message/rfc822'],
        ],
      },
      ['K', 'text/plain', 'inline'],
    ],
  };
  assert.deepEqual(select(tree), {
    text: 'A B C D K',
    html: 'A E K',
    attachments: 'C F G H J',
    hasAttachment: true,
  });
});

test('an alternative with HTML alone serves as text, too; an image that the HTML shows is no attachment', () => {
  const tree: Tree = {
    type: 'multipart/related',
    parts: [{ type: 'multipart/alternative', parts: [['H', 'text/html']] }, ['I', 'image/png', 'inline']],
  };
  assert.deepEqual(select(tree), { text: 'H', html: 'H', attachments: 'I', hasAttachment: false });
});

test('one leaf is the body if it is text, else an attachment', () => {
  assert.deepEqual(select(['T', 'text/plain']), {
    text: 'T',
    html: 'T',
    attachments: '',
    hasAttachment: false,
  });
  const pdf = select(['P', 'application/pdf']);
  assert.deepEqual(pdf, { text: '', html: '', attachments: 'P', hasAttachment: true });
});
