// What discovery streams (GET /v1/watch), a JSON object a line: a snapshot, then changes in order, and pings.
import { z } from 'zod';
import { encodedBuckets } from './buckets.ts';

/** How often at least something is said: a client that hears nothing for three of them connects again. */
export const PING_MS = 2_000;

export const CELL_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const cellRecord = z.object({
  /** A DNS label (RFC 1123), so that it can name things in Kubernetes. */
  name: z.string().regex(CELL_NAME),
  /** Draining: serves its users, gets no new ones. Disabled, Hibernated: serves nobody. */
  state: z.enum(['Enabled', 'Draining', 'Disabled', 'Hibernated']),
  dataCenter: z.string().max(200),
  /** Where its ring is: a coordination URL. */
  coordination: z.string().max(2000),
});
export type CellRecord = z.infer<typeof cellRecord>;

const ringView = z.object({
  version: z.number(),
  members: z.array(
    z.object({
      name: z.string(),
      url: z.string(),
      state: z.enum(['joining', 'serving', 'draining']),
      tokens: z.number().int(),
      session: z.string(),
      version: z.string(),
      pid: z.number(),
    }),
  ),
});

const mapVersion = z.number();

export const snapshotMessage = z.object({
  type: z.literal('snapshot'),
  mapVersion,
  buckets: encodedBuckets,
  exceptions: z.array(z.tuple([z.string(), z.string()])),
  cells: z.array(cellRecord.extend({ ring: ringView.nullable() })),
});
export type Snapshot = z.infer<typeof snapshotMessage>;

export const directoryMessage = z.discriminatedUnion('type', [
  snapshotMessage,
  z.object({
    type: z.literal('buckets'),
    mapVersion,
    changes: z.array(z.tuple([z.number(), z.string().nullable()])),
  }),
  z.object({
    type: z.literal('exceptions'),
    mapVersion,
    changes: z.array(z.tuple([z.string(), z.string().nullable()])),
  }),
  z.object({ type: z.literal('cell'), mapVersion, cell: cellRecord }),
  z.object({ type: z.literal('cell-gone'), mapVersion, name: z.string() }),
  z.object({ type: z.literal('ring'), cell: z.string(), ring: ringView }),
  z.object({ type: z.literal('ping') }),
]);
export type DirectoryMessage = z.infer<typeof directoryMessage>;
