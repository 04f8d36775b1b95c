// Calls of Hadoop's RPC (version 9) without arguments: a NameNode reads its list of DataNodes anew; a NameNode's failover
// controller makes it the active one. Other facts come by /jmx.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import protobuf from 'protobufjs/minimal.js';

const TIMEOUT_MS = 10_000;
/** "hrpc", version 9, no class of service, no authentication: NetworkPolicies say who may connect. */
const PREAMBLE = Buffer.from([0x68, 0x72, 0x70, 0x63, 9, 0, 0]);
const CLIENT_PROTOCOL = 'org.apache.hadoop.hdfs.protocol.ClientProtocol';
const FAILOVER_PROTOCOL = 'org.apache.hadoop.ha.ZKFCProtocol';
const PROTOCOL_VERSION = 1;
const NAME_NODE_PORT = 8020;
const FAILOVER_PORT = 8019;
const USER = 'cellpost';
const KIND_PROTOBUF = 2;
const CLIENT_ID_BYTES = 16;
/** Of the connection's context, which is not answered. */
const CONTEXT_CALL = -3;
const CALL = 0;
const MAX_ANSWER_BYTES = 64 * 1024;

const { Reader, Writer } = protobuf;

class NameNodeError extends Error {
  override name = 'NameNodeError';
}

type Method = { port: number; protocol: string; method: string };

/** @throws NameNodeError when it refuses, or the connection's error */
export const refreshNodes = (host: string): Promise<void> =>
  call(host, { port: NAME_NODE_PORT, protocol: CLIENT_PROTOCOL, method: 'refreshNodes' });

/**
 * Has the active NameNode cede to this one; resolves when it has.
 * @throws NameNodeError when its controller refuses, or the connection's error
 */
export const failOver = (host: string): Promise<void> =>
  call(host, { port: FAILOVER_PORT, protocol: FAILOVER_PROTOCOL, method: 'gracefulFailover' });

async function call(host: string, { port, protocol, method }: Method): Promise<void> {
  const socket = connect({ host, port });
  const deadline = setTimeout(
    () => socket.destroy(new NameNodeError(`${host} did not answer in time.`)),
    TIMEOUT_MS,
  );
  try {
    const client = randomBytes(CLIENT_ID_BYTES);
    socket.write(Buffer.concat([PREAMBLE, context(client, protocol), request(client, protocol, method)]));
    check(host, await answer(socket, host));
  } finally {
    clearTimeout(deadline);
    socket.destroy();
  }
}

/** RpcRequestHeaderProto */
function header(call: number, client: Uint8Array): Uint8Array {
  const writer = Writer.create();
  writer.uint32(8).int32(KIND_PROTOBUF).uint32(16).int32(0).uint32(24).sint32(call);
  return writer.uint32(34).bytes(client).uint32(40).sint32(-1).finish();
}

/** IpcConnectionContextProto */
function context(client: Uint8Array, protocol: string): Buffer {
  const user = Writer.create().uint32(10).string(USER).finish();
  const body = Writer.create().uint32(18).bytes(user).uint32(26).string(protocol).finish();
  return frame(header(CONTEXT_CALL, client), body);
}

/** RequestHeaderProto, then a request without fields. */
function request(client: Uint8Array, protocol: string, method: string): Buffer {
  const what = Writer.create().uint32(10).string(method).uint32(18).string(protocol);
  return frame(header(CALL, client), what.uint32(24).uint64(PROTOCOL_VERSION).finish(), new Uint8Array(0));
}

/** Messages with their lengths, behind the length of all. */
function frame(...messages: Uint8Array[]): Buffer {
  const writer = Writer.create();
  for (const message of messages) writer.bytes(message);
  const body = writer.finish();
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

async function answer(socket: Socket, host: string): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    if (bytes.length < 4) continue;
    const length = bytes.readInt32BE(0);
    if (length < 0 || length > MAX_ANSWER_BYTES) break;
    if (bytes.length >= 4 + length) return bytes.subarray(4, 4 + length);
  }
  throw new NameNodeError(`${host} gave no sensible answer.`);
}

/** RpcResponseHeaderProto: 2 status, 5 message. */
function check(host: string, bytes: Uint8Array): void {
  const reader = Reader.create(bytes);
  const end = reader.uint32() + reader.pos;
  let status = 0;
  let message = '';
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 16) status = reader.int32();
    else if (tag === 42) message = reader.string();
    else reader.skipType(tag & 7);
  }
  if (status !== 0) throw new NameNodeError(`${host} refused: ${message.split('\n', 1)[0] ?? ''}`);
}
