// The coordination as a simulated ensemble: nodes, sessions that expire, watches. What ZooKeeper promises and no more.
import {
  CoordinationError,
  type CoordinationErrorCode,
  type Stat,
  type WatchEvent,
} from '../../workloads/common/coordination/coordination.ts';
import type { WatchKind } from '../../workloads/common/coordination/watch-table.ts';
import type { World } from './world.ts';

export type Request =
  | { op: 'create'; path: string; data: Uint8Array; ephemeral: boolean }
  | { op: 'get'; path: string; watch: boolean }
  | { op: 'children'; path: string; watch: boolean }
  | { op: 'set'; path: string; data: Uint8Array; version: number | undefined }
  | { op: 'delete'; path: string; version: number | undefined }
  | { op: 'ping' }
  | { op: 'close' };

/** The server's end of a connection. */
export type Connection = { event(event: WatchEvent, zxid: number): void; expired(): void };

export type ServerSession = {
  id: string;
  timeoutMs: number;
  heardAt: number;
  connection: Connection | undefined;
  /** `kind path` */
  watches: Set<string>;
};

type Node = { data: Uint8Array; stat: Stat };

const FIRES: Record<WatchEvent['type'], WatchKind[]> = {
  created: ['exists'],
  changed: ['data', 'exists'],
  children: ['children'],
  deleted: ['data', 'exists', 'children'],
};

export class SimCoordination {
  readonly #world: World;
  readonly #nodes = new Map<string, Node>();
  readonly #sessions = new Map<string, ServerSession>();
  #zxid = 0;
  #sessionCount = 0;
  #down = false;

  constructor(world: World) {
    this.#world = world;
    this.#nodes.set('', { data: new Uint8Array(), stat: newStat(0, '0') });
  }

  /** The ensemble has no leader: nothing is answered, no session expires; afterwards all of them start anew. */
  setDown(down: boolean): void {
    this.#down = down;
    for (const session of this.#sessions.values()) session.heardAt = this.#world.now;
  }

  get isDown(): boolean {
    return this.#down;
  }

  get zxid(): number {
    return this.#zxid;
  }

  /** For checks from outside. */
  read(path: string): Uint8Array | undefined {
    return this.#nodes.get(path)?.data;
  }

  open(timeoutMs: number): ServerSession {
    const id = `s${++this.#sessionCount}`;
    const session: ServerSession = {
      id,
      timeoutMs,
      heardAt: this.#world.now,
      connection: undefined,
      watches: new Set(),
    };
    this.#sessions.set(id, session);
    this.#watchOver(session, timeoutMs);
    return session;
  }

  /** @returns undefined when the session is over */
  find(id: string): ServerSession | undefined {
    return this.#sessions.get(id);
  }

  /** A reconnected client says what it watches and what it has seen: it is told at once what it missed. */
  attach(session: ServerSession, connection: Connection, watches: [WatchKind, string][], seen: number): void {
    session.heardAt = this.#world.now;
    session.connection = connection;
    session.watches = new Set();
    for (const [kind, path] of watches) {
      const missed = this.#missed(kind, path, seen);
      if (missed) connection.event({ type: missed, path }, this.#zxid);
      else session.watches.add(`${kind} ${path}`);
    }
  }

  /** @throws CoordinationError */
  handle(session: ServerSession, request: Request): unknown {
    session.heardAt = this.#world.now;
    switch (request.op) {
      case 'create':
        return this.#create(session, request.path, request.data, request.ephemeral);
      case 'get': {
        const node = this.#nodes.get(request.path);
        if (request.watch) session.watches.add(`${node ? 'data' : 'exists'} ${request.path}`);
        return node && { data: node.data, stat: { ...node.stat } };
      }
      case 'children': {
        const node = this.#nodes.get(request.path);
        if (!node) return undefined;
        if (request.watch) session.watches.add(`children ${request.path}`);
        return { names: this.#children(request.path), stat: { ...node.stat } };
      }
      case 'set': {
        const node = this.#find(request.path, request.version);
        node.data = request.data;
        node.stat.mzxid = ++this.#zxid;
        node.stat.version++;
        this.#fire('changed', request.path);
        return { ...node.stat };
      }
      case 'delete':
        this.#find(request.path, request.version);
        this.#remove(request.path, ++this.#zxid);
        return undefined;
      case 'close':
        this.#end(session);
        return undefined;
      case 'ping':
        return undefined;
    }
  }

  #create(session: ServerSession, path: string, data: Uint8Array, ephemeral: boolean): void {
    if (this.#nodes.has(path)) throw refused('node-exists', path);
    const parent = this.#nodes.get(parentOf(path));
    if (!parent) throw refused('no-node', path);
    this.#zxid++;
    this.#nodes.set(path, { data, stat: newStat(this.#zxid, ephemeral ? session.id : '0') });
    parent.stat.pzxid = this.#zxid;
    this.#fire('created', path);
    this.#fire('children', parentOf(path));
  }

  #find(path: string, version: number | undefined): Node {
    const node = this.#nodes.get(path);
    if (!node) throw refused('no-node', path);
    if (version !== undefined && version !== node.stat.version) throw refused('bad-version', path);
    return node;
  }

  #remove(path: string, zxid: number): void {
    this.#nodes.delete(path);
    const parent = this.#nodes.get(parentOf(path));
    if (parent) parent.stat.pzxid = zxid;
    this.#fire('deleted', path);
    this.#fire('children', parentOf(path));
  }

  #children(path: string): string[] {
    const start = `${path}/`;
    return [...this.#nodes.keys()]
      .filter((one) => one.startsWith(start) && !one.slice(start.length).includes('/'))
      .map((one) => one.slice(start.length))
      .sort();
  }

  #missed(kind: WatchKind, path: string, seen: number): WatchEvent['type'] | undefined {
    const node = this.#nodes.get(path);
    if (kind === 'exists') return node ? 'created' : undefined;
    if (!node) return 'deleted';
    if (kind === 'data') return node.stat.mzxid > seen ? 'changed' : undefined;
    return node.stat.pzxid > seen ? 'children' : undefined;
  }

  #fire(type: WatchEvent['type'], path: string): void {
    for (const session of this.#sessions.values()) {
      let told = false;
      for (const kind of FIRES[type]) told = session.watches.delete(`${kind} ${path}`) || told;
      if (told) session.connection?.event({ type, path }, this.#zxid);
    }
  }

  #watchOver(session: ServerSession, inMs: number): void {
    this.#world.after(inMs, `coordination looks at ${session.id}`, () => {
      if (!this.#sessions.has(session.id)) return;
      const left = session.heardAt + session.timeoutMs - this.#world.now;
      if (left > 0 || this.#down) return this.#watchOver(session, Math.max(left, 100));
      this.#world.trace(`coordination ends ${session.id}`);
      this.#end(session);
      session.connection?.expired();
    });
  }

  #end(session: ServerSession): void {
    this.#sessions.delete(session.id);
    const zxid = ++this.#zxid;
    for (const [path, node] of this.#nodes) {
      if (node.stat.ephemeralOwner === session.id) this.#remove(path, zxid);
    }
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function newStat(zxid: number, ephemeralOwner: string): Stat {
  return { czxid: zxid, mzxid: zxid, pzxid: zxid, version: 0, ephemeralOwner };
}

function refused(code: CoordinationErrorCode, path: string): CoordinationError {
  return new CoordinationError(code, `${path}: ${code}`);
}
