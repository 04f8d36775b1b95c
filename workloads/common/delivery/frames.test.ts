import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { FrameReader, FrameWriter, type Frame } from './frames.ts';

const texts = ({ head, rest }: Frame): string[] => [
  Buffer.from(head).toString(),
  Buffer.from(rest).toString(),
];

function frame(head: string, rest: string): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(4 + head.length + rest.length, 0);
  prefix.writeUInt32BE(head.length, 4);
  return Buffer.concat([prefix, Buffer.from(head + rest)]);
}

test('frames come out the same wherever the bytes are cut', () => {
  const bytes = Buffer.concat([frame('one', 'body'), frame('', ''), frame('three', ''), frame('', 'four')]);
  const wanted = [
    ['one', 'body'],
    ['', ''],
    ['three', ''],
    ['', 'four'],
  ];
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new FrameReader();
    const found: string[][] = [];
    for (let at = 0; at < bytes.length; at += size)
      found.push(...reader.push(bytes.subarray(at, at + size)).map(texts));
    assert.deepEqual(found, wanted, `cut into pieces of ${size}`);
  }
});

test('impossible lengths are refused before anything is kept', () => {
  for (const [length, headLength] of [
    [0xffffffff, 0],
    [5 * 1024 * 1024, 0],
    [10, 7],
    [3, 0],
  ] as const) {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(length, 0);
    bytes.writeUInt32BE(headLength, 4);
    assert.throws(() => new FrameReader().push(bytes), { name: 'BadFrame' });
  }
});

test('what a writer sends a reader reads', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    const [socket] = await once(server, 'connection');
    const writer = new FrameWriter(client);
    const large = Buffer.alloc(300_000, 'x');
    writer.write(Buffer.from('a'), large);
    writer.write(Buffer.from('b'));
    client.end();
    const reader = new FrameReader();
    const found: Frame[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) found.push(...reader.push(chunk));
    assert.deepEqual(found.map(texts), [
      ['a', large.toString()],
      ['b', ''],
    ]);
    assert.throws(() => writer.write(Buffer.alloc(5 * 1024 * 1024)), RangeError);
  } finally {
    client.destroy();
    server.close();
  }
});
