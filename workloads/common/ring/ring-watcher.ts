// Follows the members of one cell: reads /nodes and every node below it, watches both, and reads again when told.
import {
  CoordinationError,
  type CoordinationSession,
  type WatchEvent,
} from '../coordination/coordination.ts';
import { systemClock, type Clock, type Timer } from '../clock.ts';
import { decodeMember, NODES } from './registry.ts';
import type { RingMember, RingView } from './ring.ts';

/** A reading that failed for want of a connection is tried again that often, besides at once after a reconnect. */
const RETRY_MS = 250;

export type RingWatcher = {
  /** The newest consistent view; undefined before the first. */
  readonly view: RingView | undefined;
  /** True while the view is known to follow the coordination: false from a lost connection to the next reading. */
  readonly current: boolean;
  close(): void;
};

/**
 * Calls `onView` with each new view, the first one included. A view is published only if nothing was seen to change
 * between the first read and the last, so it is one that the cell really had. Its version is the newest transaction
 * among /nodes and the members: it never falls.
 *
 * Ends by itself when the session expires or is closed; what was published then stays in `view`.
 */
export function watchRing(
  session: CoordinationSession,
  onView: (view: RingView) => void,
  onStale: () => void = () => undefined,
  clock: Clock = systemClock,
): RingWatcher {
  return new Watcher(session, onView, onStale, clock);
}

class Watcher implements RingWatcher {
  view: RingView | undefined;
  current = false;
  readonly #session: CoordinationSession;
  readonly #onView: (view: RingView) => void;
  readonly #onStale: () => void;
  readonly #clock: Clock;
  readonly #offState: () => void;
  #closed = false;
  #reading = false;
  /** Something changed since the reading under way began. */
  #dirty = false;
  #retryTimer: Timer | undefined;
  readonly #onEvent = (_event: WatchEvent): void => this.#read();

  constructor(
    session: CoordinationSession,
    onView: (view: RingView) => void,
    onStale: () => void,
    clock: Clock,
  ) {
    this.#session = session;
    this.#clock = clock;
    this.#onView = onView;
    this.#onStale = onStale;
    this.#offState = session.onState((state) => {
      if (state === 'connected') this.#read();
      else {
        this.#becomeStale();
        if (state === 'expired' || state === 'closed') this.close();
      }
    });
    this.#read();
  }

  close(): void {
    this.#closed = true;
    this.#offState();
    this.#retryTimer?.cancel();
  }

  #becomeStale(): void {
    if (!this.current) return;
    this.current = false;
    this.#onStale();
  }

  #read(): void {
    this.#dirty = true;
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    void this.#readUntilSteady().finally(() => {
      this.#reading = false;
    });
  }

  async #readUntilSteady(): Promise<void> {
    while (this.#dirty && !this.#closed) {
      this.#dirty = false;
      let view: RingView | undefined;
      try {
        view = await this.#readOnce();
      } catch (error) {
        if (!(error instanceof CoordinationError)) throw error;
        if (error.code === 'session-expired' || error.code === 'closed') return;
        this.#retryTimer?.cancel();
        this.#retryTimer = this.#clock.after(RETRY_MS, () => this.#read());
        return;
      }
      if (this.#dirty || this.#closed) continue;
      const isNew = !view || !this.view || view.version > this.view.version;
      if (this.#session.state === 'connected') this.current = true;
      if (!view || !isNew) continue;
      this.view = view;
      this.#onView(view);
    }
  }

  /** @returns undefined when the cell has no /nodes yet: a watch waits for it */
  async #readOnce(): Promise<RingView | undefined> {
    const listed = await this.#session.children(NODES, this.#onEvent);
    if (!listed) {
      const found = await this.#session.get(NODES, this.#onEvent);
      // Made in the meantime: read again.
      if (found) this.#dirty = true;
      return undefined;
    }
    const members: RingMember[] = [];
    let version = listed.stat.pzxid;
    const nodes = await Promise.all(
      listed.names.map((name) => this.#session.get(`${NODES}/${name}`, this.#onEvent)),
    );
    for (const node of nodes) {
      // Gone since: the children's watch has fired or is about to.
      if (!node) {
        this.#dirty = true;
        continue;
      }
      version = Math.max(version, node.stat.mzxid);
      const member = decodeMember(node.data);
      if (member) members.push(member);
    }
    return { version, members };
  }
}
