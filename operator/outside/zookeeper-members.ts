// Who belongs to a ZooKeeper ensemble, and changes of it: two requests of ZooKeeper's protocol, each in a session of its own.
import { connect, type Socket } from 'node:net';

const CLIENT_PORT = 2181;
/** A change needs the agreement of a majority, of the old members and of the new. */
const TIMEOUT_MS = 15_000;
/** Of the session, which ends with its one request. */
const SESSION_MS = 10_000;
/** An answer is a configuration of a few lines. */
const MAX_ANSWER_BYTES = 64 * 1024;
const PASSWORD_BYTES = 16;
const CONNECT_ANSWER_LEAST_BYTES = 16;
const REPLY_HEADER_BYTES = 16;
const GET_DATA = 4;
const RECONFIG = 16;
const CLOSE_SESSION = -11;
const CONFIG_PATH = '/zookeeper/config';
const ANY_VERSION = -1n;
/** Of ZooKeeper's error codes, those that a change may meet. */
const REASONS: Record<number, string> = {
  [-4]: 'the connection was lost',
  [-5]: 'the request was malformed',
  [-8]: 'the members were not accepted',
  [-13]: 'too few of the new members follow the leader',
  [-14]: 'another change is under way',
  [-123]: 'changes are switched off',
};

class EnsembleError extends Error {
  override name = 'EnsembleError';
}

export type MembersChange = {
  /** `server.4=host:2888:3888:participant;2181` each. */
  joining: readonly string[];
  /** Numbers of servers. */
  leaving: readonly number[];
};

/** @returns the numbers of the voting members, as the server knows them; @throws EnsembleError, or of the connection */
export async function ensembleMembers(host: string, port = CLIENT_PORT): Promise<number[]> {
  const path = text(CONFIG_PATH);
  return parseMembers(await ask(host, port, GET_DATA, Buffer.concat([path, Buffer.of(0)])));
}

/** Resolves when the change is in force. @returns the members then; @throws as ensembleMembers */
export async function changeEnsemble(
  host: string,
  { joining, leaving }: MembersChange,
  port = CLIENT_PORT,
): Promise<number[]> {
  const version = Buffer.alloc(8);
  version.writeBigInt64BE(ANY_VERSION);
  const body = [text(joining.join(',')), text(leaving.join(',')), text(undefined), version];
  return parseMembers(await ask(host, port, RECONFIG, Buffer.concat(body)));
}

/** Of a line a server: `server.1=host:2888:3888:participant;0.0.0.0:2181`. */
export function parseMembers(config: string): number[] {
  return [...config.matchAll(/^server\.(\d+)=\S+:participant(?:;|$)/gm)]
    .map(([, number]) => Number(number))
    .toSorted((a, b) => a - b);
}

async function ask(host: string, port: number, type: number, body: Buffer): Promise<string> {
  const socket = connect({ host, port });
  const deadline = setTimeout(() => socket.destroy(new EnsembleError(`${host} did not answer.`)), TIMEOUT_MS);
  try {
    const answers = packets(socket);
    socket.write(packet(connectRequest()));
    const session = await next(answers, host);
    // A server without a quorum closes the connection, or grants no session.
    if (session.length < CONNECT_ANSWER_LEAST_BYTES || session.readInt32BE(4) <= 0)
      throw new EnsembleError(`${host} grants no session.`);
    socket.write(packet(header(1, type), body));
    const answer = await next(answers, host);
    const code = answer.readInt32BE(12);
    if (code !== 0)
      throw new EnsembleError(`${host} refused: ${REASONS[code] ?? `ZooKeeper's error ${code}`}.`);
    const length = answer.readInt32BE(REPLY_HEADER_BYTES);
    socket.end(packet(header(2, CLOSE_SESSION)));
    return answer.toString('utf8', REPLY_HEADER_BYTES + 4, REPLY_HEADER_BYTES + 4 + length);
  } finally {
    clearTimeout(deadline);
    socket.destroy();
  }
}

async function next(answers: AsyncGenerator<Buffer>, host: string): Promise<Buffer> {
  const { value, done } = await answers.next();
  if (done) throw new EnsembleError(`${host} closed the connection.`);
  return value;
}

/** Each is preceded by its length. */
async function* packets(socket: Socket): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 4) {
      const length = rest.readInt32BE(0);
      if (length < 0 || length > MAX_ANSWER_BYTES)
        throw new EnsembleError('An answer of no sensible length.');
      if (rest.length < 4 + length) break;
      yield rest.subarray(4, 4 + length);
      rest = rest.subarray(4 + length);
    }
  }
}

function packet(...parts: Buffer[]): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(parts.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([length, ...parts]);
}

/** Version 0, nothing seen yet, a new session. */
function connectRequest(): Buffer {
  const fixed = Buffer.alloc(4 + 8 + 4 + 8 + 4 + PASSWORD_BYTES + 1);
  fixed.writeInt32BE(SESSION_MS, 12);
  fixed.writeInt32BE(PASSWORD_BYTES, 24);
  return fixed;
}

function header(number: number, type: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeInt32BE(number);
  bytes.writeInt32BE(type, 4);
  return bytes;
}

/** A string with its length; an empty one means nothing to ZooKeeper's servers, as null does. */
function text(value: string | undefined): Buffer {
  const bytes = Buffer.from(value ?? '');
  const length = Buffer.alloc(4);
  length.writeInt32BE(value ? bytes.length : -1);
  return Buffer.concat([length, bytes]);
}
