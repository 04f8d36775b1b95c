// The lines of a change feed, as app servers write and followers read them.
import { z } from 'zod';

/**
 * How often at least an app server says something: a follower that hears nothing for three of them connects again. A cached
 * count may be wrong for one and a half when a connection is cut without a word.
 */
export const PING_MS = 500;

/** `other`: settings, passwords, moves, fences. */
export const CHANGE_KINDS = ['email', 'mailbox', 'friends', 'address', 'other'] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

const number = z.number().int().min(0);

/**
 * Since which number no log was given up to another server, so that whatever was read from this one since then changes by what
 * the feed tells, and by nothing else. Null: it does not serve, or does not know whether it does.
 */
const heldSince = number.nullable().default(null);

export const feedLine = z.discriminatedUnion('type', [
  /** The first line. `resumed`: the stream goes on where the follower asked for; else look into the logs. */
  z.object({
    type: z.literal('hello'),
    instance: z.string(),
    number,
    resumed: z.boolean(),
    timeMs: z.number(),
    heldSince,
  }),
  z.object({
    type: z.literal('change'),
    number,
    key: z.string(),
    seq: z.number().int(),
    kinds: z.array(z.enum(CHANGE_KINDS)),
  }),
  /** Everything up to this number was told. */
  z.object({ type: z.literal('ping'), number, timeMs: z.number(), heldSince }),
]);
export type FeedLine = z.infer<typeof feedLine>;

/** An answer of GET /changes/keys. */
export const changedKeys = z.object({
  changed: z.array(z.object({ key: z.string(), seq: z.number().int(), timeMs: z.number() })),
  /** Where to go on; null: that was all. */
  after: z.string().nullable(),
});
export type ChangedKeys = z.infer<typeof changedKeys>;
