// What the embedded coordinator must stand that ZooKeeper's suite doesn't try: hostile bytes, its socket, its file.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { encodeFrame } from '../workloads/common/coordination/local-protocol.ts';
import { openCoordination } from '../workloads/common/coordination/open.ts';
import { ConfigError } from '../workloads/common/config/env.ts';
import { startCoordinator, type Coordinator } from './coordinator.ts';

const folder = mkdtempSync(join(tmpdir(), 'coordinator-'));
const socketPath = join(folder, 'c.sock');
const dataFile = join(folder, 'c.db');
let coordinator: Coordinator;

beforeEach(async () => {
  coordinator = await startCoordinator({ socketPath, dataFile });
});
afterEach(() => coordinator.close());
after(() => rmSync(folder, { recursive: true, force: true }));

async function speak(...parts: Buffer[]): Promise<Socket> {
  const socket = createConnection(socketPath);
  await once(socket, 'connect');
  for (const part of parts) socket.write(part);
  return socket;
}

const HELLO = encodeFrame({ hello: { timeoutMs: 1000 } });
const json = (text: string): Buffer => {
  const frame = Buffer.alloc(4 + Buffer.byteLength(text));
  frame.writeUInt32BE(frame.length - 4);
  frame.write(text, 4);
  return frame;
};

test('bytes that make no sense end their connection and touch nobody else', async () => {
  const session = await openCoordination(coordinator.url('/x'), { timeoutMs: 1000 });
  const hostile: Buffer[][] = [
    [Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    [Buffer.from([0xff, 0xff, 0xff, 0xff])],
    [json('{"hello"')],
    [json('null')],
    [json('{"hello":{"timeoutMs":-1}}')],
    [json('{"id":1,"op":"get","path":"/","watch":true}')],
    [HELLO, json('{"id":1,"op":"get","path":"/../etc","watch":true}')],
    [HELLO, json('{"id":1,"op":"drop"}')],
    [HELLO, json('{"id":1,"op":"set","path":"/a","data":7}')],
    [HELLO, json('[[[[[[[[')],
    [HELLO, HELLO],
    [HELLO, json(`{"id":1,"op":"create","path":"/${'a'.repeat(5000)}","data":"","ephemeral":false}`)],
  ];
  for (const parts of hostile) {
    const socket = await speak(...parts);
    socket.resume();
    socket.on('error', () => undefined);
    await once(socket, 'close');
  }
  await session.create('/still', new Uint8Array());
  await session.close();
});

test('frames cut into single bytes are put together again', async () => {
  const socket = await speak();
  const answer = once(socket, 'data');
  for (const byte of HELLO) socket.write(Buffer.from([byte]));
  const [data] = (await answer) as [Buffer];
  assert.match(data.toString('utf8', 4), /"welcome"/);
  socket.destroy();
});

test('a session can not be taken over without its secret', async () => {
  const session = await openCoordination(coordinator.url(''), { timeoutMs: 1000 });
  const socket = await speak(
    encodeFrame({ hello: { timeoutMs: 1000, session: session.sessionId, secret: '0'.repeat(32) } }),
  );
  const [data] = (await once(socket, 'data')) as [Buffer];
  assert.equal(data.toString('utf8', 4), '{"gone":true}');
  await session.get('/');
  assert.equal(session.state, 'connected');
  socket.destroy();
  await session.close();
});

test('the socket is for its owner alone, and so is the file', () => {
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  assert.equal(statSync(dataFile).mode & 0o777, 0o600);
});

test('a second coordinator on the same socket is refused, a dead one is replaced', async () => {
  await assert.rejects(startCoordinator({ socketPath, dataFile }), ConfigError);
  await coordinator.close();
  writeFileSync(socketPath, '');
  coordinator = await startCoordinator({ socketPath, dataFile });
  await (await openCoordination(coordinator.url('/y'), { timeoutMs: 1000 })).close();
});

test('a file that is no coordinator file is refused with a sentence', async () => {
  const other = join(folder, 'other.db');
  writeFileSync(other, 'this is no database, but long enough to look at'.repeat(100));
  await assert.rejects(
    startCoordinator({ socketPath: join(folder, 'o.sock'), dataFile: other }),
    ConfigError,
  );
});
