// What an app server asks about people before it files a message: the seam to the user index.

import type { Stopwatch } from '../common/metrics/durations.ts';

export type Degree = 'self' | 'friend' | 'friend-of-friend' | 'none' | 'unknown';

export interface Relations {
  /**
   * How far apart the user and whoever has this address are. Answers `unknown` rather than late, and never rejects: mail
   * is taken without it.
   */
  degree(userId: string, senderAddress: string): Promise<Degree>;
}

/** The same, timed. */
export function measured(relations: Relations, took: Stopwatch): Relations {
  return {
    async degree(userId, senderAddress) {
      const startedAt = performance.now();
      const degree = await relations.degree(userId, senderAddress);
      took.since(startedAt);
      return degree;
    },
  };
}
