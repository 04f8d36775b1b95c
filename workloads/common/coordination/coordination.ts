// What Cellpost needs of ZooKeeper, as an interface: a session with ephemeral nodes, versions and one-shot watches.
// Implementations: ZooKeeper (npm `zookeeper`) and the client of the embedded coordinator; one conformance suite for both.
// Paths are absolute, below the chroot that the session was opened with.

export type Stat = {
  /** Transaction numbers of the creation, the last change of data, the last change of children. Exact up to 2^53. */
  czxid: number;
  mzxid: number;
  pzxid: number;
  /** Number of changes of data: what conditional set and delete compare. */
  version: number;
  /** The session that an ephemeral node belongs to, in hexadecimal; '0' for a persistent node. */
  ephemeralOwner: string;
};

export type Znode = { data: Uint8Array; stat: Stat };

/** What happened to a watched node. A watch fires once; after a reconnect the implementation sets it again by itself. */
export type WatchEvent = { type: 'created' | 'deleted' | 'changed' | 'children'; path: string };
export type Watcher = (event: WatchEvent) => void;

/**
 * 'connected': answers come. 'disconnected': the server is out of reach, the session may still live.
 * 'expired': the session is gone with its ephemeral nodes, for good. 'closed': by us.
 */
export type SessionState = 'connecting' | 'connected' | 'disconnected' | 'expired' | 'closed';

export interface CoordinationSession {
  readonly state: SessionState;
  /** In hexadecimal; '' before the first connection. */
  readonly sessionId: string;
  /** What the server granted. */
  readonly timeoutMs: number;
  /** Calls the listener at each change of state; returns what takes it off again. */
  onState(listener: (state: SessionState) => void): () => void;

  /** Creates a node; its parent must exist. @throws CoordinationError node-exists, no-node */
  create(path: string, data: Uint8Array, options?: { ephemeral?: boolean }): Promise<void>;
  /** Reads a node; undefined when there is none, and the watch then waits for its creation. */
  get(path: string, watcher?: Watcher): Promise<Znode | undefined>;
  /** Names of the children, sorted; undefined when there is no such node (no watch is left then). */
  children(path: string, watcher?: Watcher): Promise<{ names: string[]; stat: Stat } | undefined>;
  /** Replaces the data, if the version is the expected one (none expected: in any case). @throws bad-version, no-node */
  set(path: string, data: Uint8Array, expectedVersion?: number): Promise<Stat>;
  /** @throws bad-version, no-node, not-empty */
  delete(path: string, expectedVersion?: number): Promise<void>;
  /** Ends the session: its ephemeral nodes go at once. May be called twice. */
  close(): Promise<void>;
}

export type CoordinationErrorCode =
  /** The connection broke while the call was under way: whether it took effect is not known. */
  | 'connection-loss'
  /** Not answered within the call's deadline (the session's timeout): the same. */
  | 'timeout'
  | 'session-expired'
  | 'closed'
  | 'no-node'
  | 'node-exists'
  | 'bad-version'
  | 'not-empty'
  /** Anything else that the server refused; the message says what. */
  | 'rejected';

export class CoordinationError extends Error {
  override name = 'CoordinationError';
  readonly code: CoordinationErrorCode;
  constructor(code: CoordinationErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
