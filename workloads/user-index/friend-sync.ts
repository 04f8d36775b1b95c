// Reads what users' logs say of friends, from whoever owns them, after a hint that it changed. Hints of one user that come
// together cost one reading; one that comes while the user is read costs another, so that the last state is seen.
import { z } from 'zod';
import type { Cells } from '../common/cell-client/cells.ts';
import { Unassigned } from '../common/cell-client/errors.ts';
import type { Clock } from '../common/clock.ts';
import type { Verdict } from '../common/http/health.ts';
import { userKey } from '../common/keys.ts';
import type { Logger } from '../common/log.ts';
import { Pulse } from '../common/pulse.ts';
import type { Words } from './graph.ts';

/** Readings under way at once: a rebuild reads every user. */
const PARALLEL = 32;
const DEADLINE_MS = 10_000;
const RETRY_MS = 1_000;

const answer = z.object({ friends: z.array(z.string()), former: z.array(z.string()) });
const NOTHING: Words = { friends: [], former: [] };

export type FriendSyncOptions = {
  cells: Pick<Cells, 'request'>;
  logger: Logger;
  onWords: (userId: string, words: Words) => void;
  clock?: Clock;
};

export class FriendSync {
  readonly #options: FriendSyncOptions;
  readonly #pending = new Set<string>();
  /** Goes on where it was: a rebuild has a million of them, and from the start it would pass by all that are gone. */
  #next = this.#pending.values();
  readonly #reading = new Set<string>();
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #waiting: { userIds: ReadonlySet<string>; resolve: () => void }[] = [];

  readonly #pulse: Pulse;

  constructor(options: FriendSyncOptions) {
    this.#options = options;
    this.#pulse = new Pulse('reading the logs of users', options.clock);
  }

  /** Users that are still to be read. */
  get pending(): number {
    return this.#pending.size + this.#reading.size;
  }

  /** Not well when users are to be read and no reading ends, in one way or another. */
  health(): Verdict {
    return this.#pulse.health();
  }

  /** Sees to it that a user's friends are read, from now on. */
  note(userId: string): void {
    this.#pending.add(userId);
    this.#start();
  }

  /** Reads some users, and resolves when what is known of them is not older than this call. */
  async refresh(userIds: readonly string[]): Promise<void> {
    const done = new Promise<void>((resolve) => this.#waiting.push({ userIds: new Set(userIds), resolve }));
    for (const userId of userIds) this.note(userId);
    await done;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#pending.clear();
    await Promise.all(this.#running);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #start(): void {
    while (this.#reading.size < PARALLEL && !this.#ending.signal.aborted) {
      const userId = this.#nextPending();
      if (userId === undefined) return;
      this.#pending.delete(userId);
      if (this.#reading.size === 0) this.#pulse.beat();
      this.#reading.add(userId);
      const running = this.#read(userId).finally(() => {
        this.#running.delete(running);
        this.#reading.delete(userId);
        if (this.#reading.size > 0) this.#pulse.beat();
        else this.#pulse.rest();
        this.#settle();
        this.#start();
      });
      this.#running.add(running);
    }
  }

  #nextPending(): string | undefined {
    for (let isAgain = false; ; isAgain = true) {
      for (let next = this.#next.next(); !next.done; next = this.#next.next())
        if (!this.#reading.has(next.value)) return next.value;
      if (isAgain || this.#pending.size === 0) return undefined;
      this.#next = this.#pending.values();
    }
  }

  async #read(userId: string): Promise<void> {
    try {
      this.#options.onWords(userId, await this.#fetch(userId));
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      this.#options.logger.warn(
        { err: error, userId },
        'the friends of a user could not be read; again in a second',
      );
      this.#pending.add(userId);
      await new Promise<void>((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #fetch(userId: string): Promise<Words> {
    try {
      const response = await this.#options.cells.request(userKey(userId), {
        method: 'GET',
        path: `/users/${userId}/friends`,
        idempotent: true,
        deadlineMs: DEADLINE_MS,
        bodyTimeoutMs: DEADLINE_MS,
        signal: this.#ending.signal,
      });
      if (response.status === 200) return answer.parse(await response.json());
      await response.body.dump();
      if (response.status === 404) return NOTHING;
      throw new Error(`it answers ${response.status}`);
    } catch (error) {
      if (error instanceof Unassigned) return NOTHING;
      throw error;
    }
  }

  #settle(): void {
    for (const [index, { userIds, resolve }] of [...this.#waiting.entries()].reverse()) {
      if ([...userIds].some((userId) => this.#pending.has(userId) || this.#reading.has(userId))) continue;
      this.#waiting.splice(index, 1);
      resolve();
    }
  }
}
