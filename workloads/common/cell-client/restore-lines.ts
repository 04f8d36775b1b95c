// What an app server tells while it takes a mailbox back to how it was.
import { z } from 'zod';

const counts = z.object({ added: z.number(), changed: z.number(), destroyed: z.number() });

const summarySchema = z.object({
  /** The last entry before: restoring to it takes this restore back. */
  seqBefore: z.number(),
  /** The entry that was restored to. */
  toSeq: z.number(),
  seqAfter: z.number(),
  mailboxes: counts,
  emails: counts,
  /** Messages that came after that entry and were left. */
  newerEmails: z.number(),
});

export const restoreLineSchema = z.object({
  started: z.object({ seqBefore: z.number(), toSeq: z.number() }).optional(),
  /** Changes made, of those there are. */
  progress: z.object({ done: z.number(), of: z.number() }).optional(),
  /** The last line, or: */
  result: summarySchema.optional(),
  error: z.object({ message: z.string(), mayBeRepeated: z.boolean() }).optional(),
});

export type RestoreSummary = z.infer<typeof summarySchema>;
export type RestoreLine = z.infer<typeof restoreLineSchema>;
