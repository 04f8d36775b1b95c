// One client's connection to the coordinator. Whatever comes in is checked; what makes no sense ends the connection.
import type { Socket } from 'node:net';
import { z } from 'zod';
import { CoordinationError, type WatchEvent } from '../../workloads/common/coordination/coordination.ts';
import { MAX_DATA_BYTES, problemOfPath } from '../../workloads/common/coordination/limits.ts';
import {
  encodeFrame,
  FrameReader,
  type LocalResponse,
  type LocalResult,
  MAX_REQUEST_BYTES,
  type ServerFrame,
} from '../../workloads/common/coordination/local-protocol.ts';
import type { WatchKind } from '../../workloads/common/coordination/watch-table.ts';
import type { Session, Sessions } from './sessions.ts';
import type { Tree } from './tree.ts';

/** A client says hello at once, or it is none. */
const HELLO_DEADLINE_MS = 5_000;
/** A client that reads nothing while its answers pile up is cut off. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
/** Watches of one connection and kind. */
const MAX_WATCHES = 10_000;

const path = z.string().refine((text) => problemOfPath(text) === undefined);
const paths = z.array(path).max(MAX_WATCHES);
// Not checked to be base64: decoding passes over what is none.
const data = z.string().max(Math.ceil(MAX_DATA_BYTES / 3) * 4);
const version = z.number().int().min(0).optional();
const id = z.number().int();

const helloFrame = z.object({
  hello: z.object({
    timeoutMs: z.number().positive(),
    session: z.string().optional(),
    secret: z.string().optional(),
  }),
});

const requestFrame = z.discriminatedUnion('op', [
  z.object({ id, op: z.literal('create'), path, data, ephemeral: z.boolean() }),
  z.object({ id, op: z.literal('get'), path, watch: z.boolean() }),
  z.object({ id, op: z.literal('children'), path, watch: z.boolean() }),
  z.object({ id, op: z.literal('set'), path, data, version }),
  z.object({ id, op: z.literal('delete'), path, version }),
  z.object({ id, op: z.literal('ping') }),
  z.object({ id, op: z.literal('close') }),
  z.object({ id, op: z.literal('watches'), since: z.number(), data: paths, exists: paths, children: paths }),
]);
type Request = z.infer<typeof requestFrame>;

export class Connection {
  readonly #socket: Socket;
  readonly #tree: Tree;
  readonly #sessions: Sessions;
  readonly #watches = { data: new Set<string>(), exists: new Set<string>(), children: new Set<string>() };
  readonly #helloTimer: NodeJS.Timeout;
  #session: Session | undefined;

  constructor(socket: Socket, tree: Tree, sessions: Sessions, onClose: (connection: Connection) => void) {
    this.#socket = socket;
    this.#tree = tree;
    this.#sessions = sessions;
    this.#helloTimer = setTimeout(() => socket.destroy(), HELLO_DEADLINE_MS);
    const reader = new FrameReader(MAX_REQUEST_BYTES);
    socket.on('data', (chunk) => {
      try {
        for (const frame of reader.push(chunk)) this.#receive(frame);
      } catch {
        // Neither our client nor our protocol: there is nothing to answer.
        this.close();
      }
    });
    // 'close' always follows, and says all.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(this.#helloTimer);
      onClose(this);
    });
  }

  /** Sends an event if the client watches for it; the watch is then gone. */
  notify(event: WatchEvent): void {
    const { data, exists, children } = this.#watches;
    let fires = false;
    if (event.type !== 'created' && event.type !== 'changed') fires = children.delete(event.path);
    if (event.type !== 'children') {
      fires = data.delete(event.path) || fires;
      fires = exists.delete(event.path) || fires;
    }
    if (fires) this.#send({ event });
  }

  /** Ends the connection, not the session. */
  close(): void {
    this.#socket.destroy();
  }

  #receive(frame: unknown): void {
    if (this.#socket.destroyed) return;
    if (!this.#session) {
      this.#greet(helloFrame.parse(frame).hello);
      return;
    }
    const request = requestFrame.parse(frame);
    this.#sessions.touch(this.#session);
    let answer: { ok: LocalResult } | { error: CoordinationError['code']; message: string };
    try {
      answer = { ok: this.#apply(request, this.#session) };
    } catch (error) {
      // What is no CoordinationError comes from the file (a full disk …): nothing has changed then.
      const code = error instanceof CoordinationError ? error.code : 'rejected';
      answer = { error: code, message: error instanceof Error ? error.message : String(error) };
    }
    this.#send({ id: request.id, zxid: this.#tree.zxid, ...answer } satisfies LocalResponse);
    if (request.op === 'close') this.#socket.end();
  }

  #greet(hello: z.infer<typeof helloFrame>['hello']): void {
    clearTimeout(this.#helloTimer);
    const detach = (): void => this.close();
    const session =
      hello.session === undefined
        ? this.#sessions.open(hello.timeoutMs, detach)
        : this.#sessions.attach(hello.session, hello.secret ?? '', detach);
    if (!session) {
      if (hello.session === undefined) this.close();
      else {
        this.#send({ gone: true });
        this.#socket.end();
      }
      return;
    }
    this.#session = session;
    const { id, secret, timeoutMs } = session;
    this.#send({ welcome: { session: id, secret, timeoutMs } });
  }

  #apply(request: Request, session: Session): LocalResult {
    const tree = this.#tree;
    switch (request.op) {
      case 'create':
        tree.create(request.path, decode(request.data), request.ephemeral ? session.id : '0');
        if (request.ephemeral) session.ephemerals.add(request.path);
        return {};
      case 'get': {
        const node = tree.get(request.path);
        if (request.watch) this.#watch(node ? 'data' : 'exists', request.path);
        return { node: node ? { data: encode(node.data), stat: node.stat } : null };
      }
      case 'children': {
        const found = tree.children(request.path);
        if (found && request.watch) this.#watch('children', request.path);
        return found ?? {};
      }
      case 'set':
        return { stat: tree.set(request.path, decode(request.data), request.version) };
      case 'delete':
        tree.delete(request.path, request.version);
        session.ephemerals.delete(request.path);
        return {};
      case 'close':
        this.#sessions.end(session);
        return {};
      case 'watches':
        this.#watchAgain(request);
        return {};
      case 'ping':
        return {};
    }
  }

  #watch(kind: WatchKind, watched: string): void {
    const set = this.#watches[kind];
    if (set.size >= MAX_WATCHES) throw new CoordinationError('rejected', `Over ${MAX_WATCHES} watches.`);
    set.add(watched);
  }

  /** ZooKeeper's setWatches: what changed while the client was away fires now, the rest is watched. */
  #watchAgain(request: Extract<Request, { op: 'watches' }>): void {
    for (const watched of request.data) {
      const stat = this.#tree.stat(watched);
      if (!stat) this.#send({ event: { type: 'deleted', path: watched } });
      else if (stat.mzxid > request.since) this.#send({ event: { type: 'changed', path: watched } });
      else this.#watch('data', watched);
    }
    for (const watched of request.exists) {
      if (this.#tree.stat(watched)) this.#send({ event: { type: 'created', path: watched } });
      else this.#watch('exists', watched);
    }
    for (const watched of request.children) {
      const stat = this.#tree.stat(watched);
      if (!stat) this.#send({ event: { type: 'deleted', path: watched } });
      else if (stat.pzxid > request.since) this.#send({ event: { type: 'children', path: watched } });
      else this.#watch('children', watched);
    }
  }

  #send(frame: ServerFrame): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(encodeFrame(frame));
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.close();
  }
}

function decode(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
