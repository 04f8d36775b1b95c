// Who keeps this server busy: the users with the most requests, bytes and log entries of the last minute, in memory that does not
// grow with the number of users. GET /load tells; who they are is for holders of the platform's token alone.
import type { Request, Response } from 'express';
import type { Clock } from '../../common/clock.ts';
import { SpaceSaving } from '../../common/space-saving.ts';

/** The last minute in stretches, of which the oldest is forgotten when another one begins. */
const STRETCHES = 6;
const STRETCH_MS = 10_000;
/** Counters of a stretch. Whoever has more than a 256th of all that was done in it is seen. */
const COUNTERS = 256;
/** Users told of for each measure. */
const TOP = 20;

export type Work = { requests: number; bytes: number; appends: number };
type UserLoad = Work & { userId: string };
export type LoadAnswer = { windowSeconds: number; users: UserLoad[] };

const MEASURES = ['requests', 'bytes', 'appends'] as const;
type Sketches = Record<(typeof MEASURES)[number], SpaceSaving>;

const newSketches = (): Sketches => ({
  requests: new SpaceSaving(COUNTERS),
  bytes: new SpaceSaving(COUNTERS),
  appends: new SpaceSaving(COUNTERS),
});

export class UserLoads {
  readonly #clock: Pick<Clock, 'now'>;
  #stretches: { endMs: number; sketches: Sketches }[];

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
    this.#stretches = [{ endMs: clock.now() + STRETCH_MS, sketches: newSketches() }];
  }

  /** Counts what was done for a user. */
  note(userId: string, work: Partial<Work>): void {
    const sketches = this.#current();
    for (const measure of MEASURES) {
      const weight = work[measure];
      if (weight !== undefined && weight > 0) sketches[measure].add(userId, weight);
    }
  }

  /**
   * The busiest users of the last 50 to 60 seconds by each measure, the busiest by requests first. A number is 0 where a user is not
   * among the busiest by it, and leaves out what may belong to others.
   */
  top(): LoadAnswer {
    this.#current();
    const users = new Map<string, UserLoad>();
    for (const measure of MEASURES) {
      const counts = new Map<string, number>();
      for (const { sketches } of this.#stretches)
        for (const { key, count, error } of sketches[measure].entries())
          counts.set(key, (counts.get(key) ?? 0) + count - error);
      for (const [userId, count] of [...counts].sort((a, b) => b[1] - a[1]).slice(0, TOP)) {
        const user = users.get(userId) ?? { userId, requests: 0, bytes: 0, appends: 0 };
        user[measure] = count;
        users.set(userId, user);
      }
    }
    return {
      windowSeconds: (STRETCHES * STRETCH_MS) / 1_000,
      users: [...users.values()].sort((a, b) => b.requests - a.requests || b.bytes - a.bytes),
    };
  }

  #current(): Sketches {
    const now = this.#clock.now();
    const last = this.#stretches.at(-1);
    if (last && now < last.endMs) return last.sketches;
    const kept = this.#stretches.filter(({ endMs }) => endMs > now - (STRETCHES - 1) * STRETCH_MS);
    const next = { endMs: now + STRETCH_MS, sketches: newSketches() };
    this.#stretches = [...kept, next];
    return next.sketches;
  }
}

/**
 * Counts a request on a user's routes when it is over, unless it was refused or sent elsewhere: then it may name anybody. Of its bytes
 * those count that its headers and those of the answer tell.
 */
export function noteRequest(loads: UserLoads, request: Request, response: Response): void {
  const { userId } = request.params;
  if (typeof userId !== 'string' || REFUSALS.has(response.statusCode)) return;
  const bytes = lengthOf(request.headers['content-length']) + lengthOf(response.getHeader('content-length'));
  loads.note(userId, { requests: 1, bytes });
}

const REFUSALS = new Set([401, 404, 421, 429]);

const lengthOf = (header: unknown): number => Math.max(0, Number(header)) || 0;
