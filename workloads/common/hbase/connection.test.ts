import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { readCells } from './cells.ts';
import { Connection } from './connection.ts';
import { ConnectionLost, ServerException } from './errors.ts';
import { connectionPreamble, encode, typeOf } from './wire.ts';

let server: Server;
let address = '';
let peer: Promise<Socket>;
const sockets = new Set<Socket>();

beforeEach(async () => {
  server = createServer();
  server.on('connection', (socket) => sockets.add(socket));
  peer = once(server, 'connection').then(([socket]) => socket as Socket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  address = `127.0.0.1:${typeof at === 'object' && at ? at.port : 0}`;
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server.close();
});

function response(header: object, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat([typeOf('ResponseHeader').encodeDelimited(header).finish(), ...parts]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

const get = (
  connection: Connection,
  timeoutMs = 10_000,
): Promise<{ message: Uint8Array; cellBlock: Uint8Array }> =>
  connection.call({
    method: 'Get',
    timeoutMs,
    parameter: {
      type: 'GetRequest',
      message: { region: { type: 1, value: Buffer.from('r') }, get: { row: Buffer.from('row') } },
    },
  });

test('the preamble is HBas, version 0, simple authentication, and a header with its length', () => {
  const bytes = connectionPreamble('ClientService', 'someone');
  assert.equal(bytes.subarray(0, 6).toString('hex'), '484261730050');
  assert.equal(bytes.readInt32BE(6), bytes.length - 10);
  assert.ok(bytes.includes('ClientService') && bytes.includes('someone') && bytes.includes('KeyValueCodec'));
});

test('answers find their calls in any order and however they are cut into packets', async () => {
  const connection = await Connection.open(address, 'ClientService', 'test');
  const socket = await peer;
  const calls = [get(connection), get(connection), get(connection)];
  const message = encode('GetResponse', { result: { cell: [] } });
  const delimited = Buffer.concat([Buffer.from([message.length]), message]);
  const block = Buffer.from('0123456789');
  const bytes = Buffer.concat([
    response({ call_id: 3, cell_block_meta: { length: block.length } }, delimited, block),
    response({ call_id: 1 }, delimited),
    response({ call_id: 2 }, Buffer.from([0])),
  ]);
  for (let at = 0; at < bytes.length; at += 3) socket.write(bytes.subarray(at, at + 3));
  const [first, second, third] = await Promise.all(calls);
  assert.deepEqual(Buffer.from(first?.message ?? []), Buffer.from(message));
  assert.equal(second?.message.length, 0);
  assert.equal(Buffer.from(third?.cellBlock ?? []).toString(), '0123456789');
  connection.close();
});

test('an exception of the server is told with its class and what to do', async () => {
  const connection = await Connection.open(address, 'ClientService', 'test');
  const socket = await peer;
  const call = get(connection);
  socket.write(
    response({
      call_id: 1,
      exception: {
        exception_class_name: 'org.apache.hadoop.hbase.NotServingRegionException',
        stack_trace: 'x is closing\n\tat y',
      },
    }),
  );
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof ServerException);
    assert.equal(error.cure, 'relocate');
    assert.equal(error.message, 'NotServingRegionException: x is closing');
    return true;
  });
  connection.close();
});

test('calls that wait when the connection breaks may have run; later ones have not', async () => {
  const connection = await Connection.open(address, 'ClientService', 'test');
  const waiting = get(connection);
  (await peer).destroy();
  await assert.rejects(waiting, (error) => error instanceof ConnectionLost && error.mayHaveRun);
  assert.equal(connection.isOpen, false);
  await assert.rejects(get(connection), (error) => error instanceof ConnectionLost && !error.mayHaveRun);
});

test('a call without an answer ends in time, and its late answer disturbs nobody', async () => {
  const connection = await Connection.open(address, 'ClientService', 'test');
  const socket = await peer;
  await assert.rejects(get(connection, 20), (error) => error instanceof ConnectionLost && error.mayHaveRun);
  const next = get(connection);
  socket.write(response({ call_id: 1 }, Buffer.from([0])));
  socket.write(response({ call_id: 2 }, Buffer.from([0])));
  assert.equal((await next).message.length, 0);
  connection.close();
});

test('a connection that is cut in the middle of a frame fails its calls', async () => {
  const connection = await Connection.open(address, 'ClientService', 'test');
  const call = get(connection);
  const frame = response({ call_id: 1 }, Buffer.from([0]));
  (await peer).end(frame.subarray(0, frame.length - 1));
  await assert.rejects(call, (error) => error instanceof ConnectionLost && error.mayHaveRun);
});

test('calls beyond the bound wait here; those the server never got have not run', async () => {
  const connection = await Connection.open(address, 'ClientService', 'test');
  const outcome = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => 'answered',
      (error) => (error instanceof ConnectionLost && error.mayHaveRun ? 'may have run' : 'has not run'),
    );
  const sent = Array.from({ length: 256 }, () => outcome(get(connection)));
  const waiting = Array.from({ length: 44 }, () => outcome(get(connection, 50)));
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['has not run']));
  const later = outcome(get(connection));
  (await peer).destroy();
  assert.deepEqual(new Set(await Promise.all(sent)), new Set(['may have run']));
  assert.equal(await later, 'has not run');
});

test('an answer makes room for a call that waits', async () => {
  const connection = await Connection.open(address, 'ClientService', 'test');
  const socket = await peer;
  const calls = Array.from({ length: 257 }, () => get(connection));
  for (let id = 1; id <= 257; id++) socket.write(response({ call_id: id }, Buffer.from([0])));
  await calls[0];
  socket.write(response({ call_id: 257 }, Buffer.from([0])));
  await Promise.all(calls);
  connection.close();
});

test('what a refusal says about the write, and where the region went', () => {
  const name = 'org.apache.hadoop.hbase.exceptions.RegionMovedException';
  const moved = new ServerException(
    name,
    `${name}: Region moved to: hostname=rs-2.example port=16020 startCode=7. As of locationSeqNum=3.`,
    false,
  );
  assert.deepEqual([moved.cure, moved.movedTo, moved.mayHaveRun], ['relocate', 'rs-2.example:16020', false]);
  const queue = new ServerException('org.apache.hadoop.hbase.CallQueueTooBigException', 'full', false);
  assert.deepEqual([queue.cure, queue.movedTo, queue.mayHaveRun], ['retry', undefined, false]);
  // The log may have been written: a server that starts again may find it there.
  const sync = new ServerException('java.io.IOException', 'sync failed', false);
  assert.deepEqual([sync.cure, sync.mayHaveRun], ['retry', true]);
  const mistake = new ServerException(
    'org.apache.hadoop.hbase.DoNotRetryIOException',
    'The cell with size 11000000 exceeds limit of 10485760 bytes',
    true,
  );
  assert.deepEqual([mistake.cure, mistake.mayHaveRun], ['fail', false]);
});

test('a frame of an impossible length breaks the connection', async () => {
  const connection = await Connection.open(address, 'ClientService', 'test');
  const call = get(connection);
  (await peer).write(Buffer.from([0x7f, 0xff, 0xff, 0xff]));
  await assert.rejects(call, ConnectionLost);
});

test('nobody listening is told as a lost connection that ran nothing', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const at = other.address();
  await new Promise((resolve) => other.close(resolve));
  const port = typeof at === 'object' && at ? at.port : 0;
  await assert.rejects(
    Connection.open(`127.0.0.1:${port}`, 'ClientService', 'test'),
    (error) => error instanceof ConnectionLost && !error.mayHaveRun,
  );
});

test('a cell block is read cell by cell, and one that ends in the middle is refused', () => {
  const cell = (row: string, family: string, qualifier: string, value: string): Buffer => {
    const key = Buffer.concat([
      Buffer.from([0, row.length]),
      Buffer.from(row),
      Buffer.from([family.length]),
      Buffer.from(family + qualifier),
      Buffer.alloc(8),
      Buffer.from([4]),
    ]);
    const head = Buffer.alloc(12);
    head.writeInt32BE(8 + key.length + value.length, 0);
    head.writeInt32BE(key.length, 4);
    head.writeInt32BE(value.length, 8);
    return Buffer.concat([head, key, Buffer.from(value)]);
  };
  const block = Buffer.concat([cell('r1', 'e', 'q', 'one'), cell('r2', 'body', '', '')]);
  assert.deepEqual(
    readCells(block).map(({ row, family, qualifier, value }) => [
      Buffer.from(row).toString(),
      family,
      Buffer.from(qualifier).toString(),
      Buffer.from(value).toString(),
    ]),
    [
      ['r1', 'e', 'q', 'one'],
      ['r2', 'body', '', ''],
    ],
  );
  assert.throws(() => readCells(block.subarray(0, block.length - 5)), RangeError);
});
