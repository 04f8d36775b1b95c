// Follows some nodes of a coordination: reads them all with a watch on each, and reads again when one fires.
import { type Clock, systemClock, type Timer } from '../clock.ts';
import type { Verdict } from '../http/health.ts';
import { Pulse } from '../pulse.ts';
import { CoordinationError, type CoordinationSession, type Watcher } from './coordination.ts';

/** A reading that failed for want of a connection is tried again that often, besides at once after a reconnect. */
const RETRY_MS = 250;

export type Follower = {
  /** True while what was published is known to be the newest: false from a lost connection to the next reading. */
  readonly current: boolean;
  /** Not well when a reading does not end, in one way or another. */
  health(): Verdict;
  /** Reads again although no watch has fired. */
  poke(): void;
  close(): void;
};

export type FollowOptions<T> = {
  /** Reads everything, leaving `watcher` on all that was read; undefined: read again at once, it is in motion. */
  read: (watcher: Watcher) => Promise<T | undefined>;
  /** Called with a reading during which nothing was seen to change: a state that really was. */
  publish: (value: T) => void;
  /** Called when what was published may have become old. */
  onStale?: (() => void) | undefined;
  /** Called when what was read can't be understood; it is read again later. Without it that is an unhandled error. */
  onUnreadable?: (error: unknown) => void;
  clock?: Clock | undefined;
};

/** Ends by itself when the session expires or is closed. */
export function follow<T>(session: CoordinationSession, options: FollowOptions<T>): Follower {
  return new SessionFollower(session, options);
}

class SessionFollower<T> implements Follower {
  current = false;
  readonly #session: CoordinationSession;
  readonly #options: FollowOptions<T>;
  readonly #clock: Clock;
  readonly #offState: () => void;
  readonly #onEvent: Watcher = () => this.poke();
  #closed = false;
  #reading = false;
  /** Something changed since the reading under way began. */
  #dirty = false;
  #retryTimer: Timer | undefined;
  readonly #pulse: Pulse;

  constructor(session: CoordinationSession, options: FollowOptions<T>) {
    this.#session = session;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#pulse = new Pulse('reading what the coordination has', this.#clock);
    this.#offState = session.onState((state) => {
      if (state === 'connected') {
        this.poke();
        return;
      }
      this.#becomeStale();
      if (state === 'expired' || state === 'closed') this.close();
    });
    this.poke();
  }

  health(): Verdict {
    return this.#pulse.health();
  }

  poke(): void {
    this.#dirty = true;
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    void this.#readUntilSteady().finally(() => {
      this.#reading = false;
      this.#pulse.rest();
    });
  }

  close(): void {
    this.#closed = true;
    this.#offState();
    this.#retryTimer?.cancel();
  }

  #becomeStale(): void {
    if (!this.current) return;
    this.current = false;
    this.#options.onStale?.();
  }

  async #readUntilSteady(): Promise<void> {
    while (this.#dirty && !this.#closed) {
      this.#dirty = false;
      this.#pulse.beat();
      let value: T | undefined;
      try {
        value = await this.#options.read(this.#onEvent);
      } catch (error) {
        if (!(error instanceof CoordinationError)) {
          if (!this.#options.onUnreadable) throw error;
          this.#options.onUnreadable(error);
        } else if (error.code === 'session-expired' || error.code === 'closed') return;
        this.#retryTimer?.cancel();
        this.#retryTimer = this.#clock.after(RETRY_MS, () => this.poke());
        return;
      }
      if (value === undefined) this.#dirty = true;
      if (this.#dirty || this.#closed || value === undefined) continue;
      if (this.#session.state === 'connected') this.current = true;
      this.#options.publish(value);
    }
  }
}
