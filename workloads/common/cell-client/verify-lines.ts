// What an app server tells while it checks an image.
import { z } from 'zod';

export const verifyLineSchema = z.object({
  /** Entries replayed. */
  progress: z.object({ done: z.number(), of: z.number() }).optional(),
  /** The last line. */
  result: z
    .object({
      seq: z.number(),
      pages: z.number(),
      digest: z.string(),
      matches: z.boolean(),
      snapshotMatches: z.boolean().optional(),
    })
    .optional(),
});

export type VerifyLine = z.infer<typeof verifyLineSchema>;
