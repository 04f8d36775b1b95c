// What is asked about users' counts, between the memcache dirty service and the app servers.
import { z } from 'zod';
import { isUserId } from './keys.ts';

/** Users of one question: a page of people, and what an app server opens for one request. */
export const MAX_COUNTED_USERS = 100;

export const countedUsers = z
  .array(z.string().refine(isUserId, 'is not the id of a user'))
  .min(1)
  .max(MAX_COUNTED_USERS);

const userCounts = z
  .object({
    userId: z.string(),
    /** Emails in the inbox that are neither $seen nor $draft. */
    unread: z.number().int().min(0),
    /** Those of them that arrived since the user last looked at the inbox. App servers of versions without looks tell none. */
    unseen: z.number().int().min(0).optional(),
    /** The entry of the user's log that this is as of. */
    seq: z.number().int().min(1),
  })
  .transform((counts) => ({ ...counts, unseen: counts.unseen ?? counts.unread }));
export type UserCounts = z.infer<typeof userCounts>;

/** The answer of an app server's POST /counts. */
export const countsAnswer = z.object({
  counts: z.array(userCounts),
  /** Nobody has these ids. */
  unknown: z.array(z.string()),
  /** Another server is to be asked for these, or this one later. */
  elsewhere: z.array(z.string()),
});
export type CountsAnswer = z.infer<typeof countsAnswer>;
