// The client's end of a simulated session: connections that break, calls whose answers are lost, watches set again.
import type { Timer } from '../../workloads/common/clock.ts';
import {
  CoordinationError,
  type CoordinationSession,
  type SessionState,
  type Stat,
  type WatchEvent,
  type Watcher,
  type Znode,
} from '../../workloads/common/coordination/coordination.ts';
import { WatchTable, type WatchKind } from '../../workloads/common/coordination/watch-table.ts';
import type { Connection, Request, ServerSession, SimCoordination } from './coordination-server.ts';
import type { Link } from './link.ts';
import type { SimProcess } from './process.ts';

const RECONNECT_MS = 60;
const KINDS: WatchKind[] = ['data', 'exists', 'children'];

export type CoordinationLinks = { up: Link; down: Link };

type Call = {
  request: Request;
  watcher: Watcher | undefined;
  resolve: (value: unknown) => void;
  reject: (error: CoordinationError) => void;
  timer: Timer;
};

export class SimSession implements CoordinationSession {
  readonly timeoutMs: number;
  state: SessionState = 'connecting';
  sessionId = '';
  readonly #process: SimProcess;
  readonly #coordination: SimCoordination;
  readonly #links: CoordinationLinks;
  readonly #listeners = new Set<(state: SessionState) => void>();
  readonly #watches = new WatchTable();
  #connection: Connection | undefined;
  #unsent: Call[] = [];
  readonly #sent = new Set<Call>();
  #seen = 0;
  #heardAt: number;
  #timer: Timer | undefined;

  /** Starts to connect. */
  constructor(
    process: SimProcess,
    coordination: SimCoordination,
    links: CoordinationLinks,
    timeoutMs: number,
  ) {
    this.#process = process;
    this.#coordination = coordination;
    this.#links = links;
    this.timeoutMs = timeoutMs;
    this.#heardAt = process.clock.now();
    this.#connect();
  }

  onState(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async create(path: string, data: Uint8Array, options: { ephemeral?: boolean } = {}): Promise<void> {
    await this.#call({ op: 'create', path, data, ephemeral: options.ephemeral ?? false });
  }

  async get(path: string, watcher?: Watcher): Promise<Znode | undefined> {
    return (await this.#call({ op: 'get', path, watch: watcher !== undefined }, watcher)) as
      Znode | undefined;
  }

  async children(path: string, watcher?: Watcher): Promise<{ names: string[]; stat: Stat } | undefined> {
    const answer = await this.#call({ op: 'children', path, watch: watcher !== undefined }, watcher);
    return answer as { names: string[]; stat: Stat } | undefined;
  }

  async set(path: string, data: Uint8Array, version?: number): Promise<Stat> {
    return (await this.#call({ op: 'set', path, data, version })) as Stat;
  }

  async delete(path: string, version?: number): Promise<void> {
    await this.#call({ op: 'delete', path, version });
  }

  async close(): Promise<void> {
    if (this.state === 'closed' || this.state === 'expired') return;
    if (this.#connection) await this.#call({ op: 'close' }).catch(() => {});
    this.#become('closed');
  }

  /** The connection breaks; the client notices at once. */
  reset(): void {
    if (!this.#connection) return;
    this.#connection = undefined;
    for (const call of this.#sent) call.reject(lost('connection-loss'));
    this.#become('disconnected');
    this.#timer?.cancel();
    this.#timer = this.#process.clock.after(RECONNECT_MS, () => this.#connect());
  }

  get #isOver(): boolean {
    return this.state === 'closed' || this.state === 'expired';
  }

  #become(state: SessionState): void {
    if (this.state === state || this.#isOver) return;
    this.state = state;
    if (this.#isOver) {
      this.#connection = undefined;
      this.#timer?.cancel();
      this.#watches.clear();
      const code = state === 'expired' ? 'session-expired' : 'closed';
      for (const call of [...this.#sent, ...this.#unsent]) call.reject(lost(code));
    }
    for (const listener of this.#listeners) listener(state);
  }

  #connect(): void {
    if (this.#isOver || this.#connection) return;
    const coordination = this.#coordination;
    const { up, down } = this.#links;
    this.#timer = this.#process.clock.after(RECONNECT_MS, () => this.#connect());
    const watches = KINDS.flatMap((kind) =>
      this.#watches.paths(kind).map((path) => [kind, path] as [WatchKind, string]),
    );
    const [id, seen] = [this.sessionId, this.#seen];
    up.sendInOrder('connect', () => {
      if (coordination.isDown) return;
      const server = id ? coordination.find(id) : coordination.open(this.timeoutMs);
      const connection = this.#newConnection();
      down.sendInOrder(server ? 'welcome' : 'expired', () =>
        this.#process.run(() => (server ? this.#connected(server, connection) : this.#become('expired'))),
      );
      if (server) coordination.attach(server, connection, watches, seen);
    });
  }

  #newConnection(): Connection {
    const toClient = (label: string, work: () => void) =>
      this.#links.down.sendInOrder(label, () =>
        this.#process.run(() => {
          if (this.#connection === connection) work();
        }),
      );
    const connection: Connection = {
      event: (event, zxid) => toClient(`${event.type} ${event.path}`, () => this.#fire(event, zxid)),
      expired: () => toClient('expired', () => this.#become('expired')),
    };
    return connection;
  }

  #connected(server: ServerSession, connection: Connection): void {
    // An answer to an earlier attempt: the server has gone on to a later connection, or the session is another one.
    if (this.#isOver || server.connection !== connection) return;
    if (this.sessionId && this.sessionId !== server.id) return;
    this.sessionId = server.id;
    this.#connection = connection;
    this.#heardAt = this.#process.clock.now();
    this.#timer?.cancel();
    this.#beat();
    this.#become('connected');
    for (const call of this.#unsent.splice(0)) this.#send(call);
  }

  #fire(event: WatchEvent, zxid: number): void {
    this.#heardAt = this.#process.clock.now();
    this.#seen = Math.max(this.#seen, zxid);
    for (const watcher of this.#watches.take(event)) watcher(event);
  }

  #beat(): void {
    if (!this.#connection) return;
    if (this.#process.clock.now() - this.#heardAt > (this.timeoutMs * 2) / 3) return this.reset();
    this.#timer = this.#process.clock.after(this.timeoutMs / 3, () => this.#beat());
    void this.#call({ op: 'ping' }).catch(() => {});
  }

  #call(request: Request, watcher?: Watcher): Promise<unknown> {
    if (this.#isOver) return Promise.reject(lost(this.state === 'expired' ? 'session-expired' : 'closed'));
    return new Promise((resolve, reject) => {
      const end = () => {
        call.timer.cancel();
        this.#sent.delete(call);
        this.#unsent = this.#unsent.filter((one) => one !== call);
      };
      const call: Call = {
        request,
        watcher,
        resolve: (value) => (end(), resolve(value)),
        reject: (error) => (end(), reject(error)),
        timer: this.#process.clock.after(this.timeoutMs, () => call.reject(lost('timeout'))),
      };
      if (this.#connection) this.#send(call);
      else this.#unsent.push(call);
    });
  }

  #send(call: Call): void {
    const connection = this.#connection;
    const coordination = this.#coordination;
    const { request } = call;
    this.#sent.add(call);
    const label = 'path' in request ? `${request.op} ${request.path}` : request.op;
    this.#links.up.sendInOrder(label, () => {
      const server = coordination.find(this.sessionId);
      if (coordination.isDown || !server || server.connection !== connection) return;
      let outcome: { value: unknown } | { error: CoordinationError };
      try {
        outcome = { value: coordination.handle(server, request) };
      } catch (error) {
        if (!(error instanceof CoordinationError)) throw error;
        outcome = { error };
      }
      const { zxid } = coordination;
      this.#links.down.sendInOrder(`answer to ${label}`, () =>
        this.#process.run(() => {
          if (this.#connection !== connection) return;
          this.#heardAt = this.#process.clock.now();
          this.#seen = Math.max(this.#seen, zxid);
          if ('error' in outcome) return call.reject(outcome.error);
          if (call.watcher) this.#watches.add(kindOf(request, outcome.value), pathOf(request), call.watcher);
          call.resolve(outcome.value);
        }),
      );
    });
  }
}

function kindOf(request: Request, answer: unknown): WatchKind {
  if (request.op === 'children') return 'children';
  return answer === undefined ? 'exists' : 'data';
}

function pathOf(request: Request): string {
  return 'path' in request ? request.path : '/';
}

function lost(code: 'connection-loss' | 'timeout' | 'session-expired' | 'closed'): CoordinationError {
  return new CoordinationError(code, code);
}
