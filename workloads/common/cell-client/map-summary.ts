// The whole map in a few kilobytes, for people: what GET /v1/summary of discovery answers.
import { z } from 'zod';

const memberSummary = z.object({
  name: z.string(),
  url: z.string(),
  state: z.enum(['joining', 'serving', 'draining']),
  tokens: z.number(),
  version: z.string(),
  /** Of the cell's keys, from 0 to 1. */
  share: z.number(),
});

const cellSummary = z.object({
  name: z.string(),
  state: z.string(),
  dataCenter: z.string(),
  buckets: z.number(),
  /** Of all buckets, from 0 to 1. */
  share: z.number(),
  ringVersion: z.number().nullable(),
  /** Is the ring known to be the newest? */
  current: z.boolean(),
  /** Why it is not, for people. */
  problem: z.string().optional(),
  /** Seconds since what is said of the ring was known to be the newest; 0: it is. */
  ageSeconds: z.number(),
  members: z.array(memberSummary),
});

export const mapSummary = z.object({
  mapVersion: z.number(),
  /** As of a cell's ring, for the map itself. */
  ageSeconds: z.number(),
  unassignedBuckets: z.number(),
  exceptions: z.number(),
  cells: z.array(cellSummary),
});

export type CellSummary = z.infer<typeof cellSummary>;
export type MapSummary = z.infer<typeof mapSummary>;
