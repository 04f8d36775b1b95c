// GET /changes/keys?since=&after=&limit=: the logs of this cell that have entries since a time, whoever owns them: what a
// follower of the change feed asks after an absence.
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { ChangedKeys } from '../../common/changes/feed-lines.ts';
import { inParallel } from '../../common/parallel.ts';
import { entryCodec } from '../log/entry.ts';
import { checked } from './read-body.ts';
import type { Services } from './services.ts';

const MAX_KEYS = 1_000;
const MAX_KEY_LENGTH = 512;
const PARALLEL_READS = 16;

const query = z.object({
  since: z.coerce.number().int().min(0).default(0),
  after: z.string().max(MAX_KEY_LENGTH).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_KEYS).default(MAX_KEYS),
});

export async function getChangedKeys(
  services: Services,
  request: Request,
  response: Response,
): Promise<void> {
  const asked = checked(request.query, response, query);
  if (!asked) return;
  const { since, after, limit } = asked;
  const keys = await services.store.listKeys({ after, limit, writtenSinceMs: since });
  const rows = await inParallel(keys, PARALLEL_READS, (key) => services.store.readLast(key));
  const changed = keys.flatMap((key, index) => {
    const row = rows[index];
    if (!row) return [];
    const { timeMs } = entryCodec.decode(row.entry);
    return timeMs >= since ? [{ key, seq: row.seq, timeMs }] : [];
  });
  const last = keys.length === limit ? keys.at(-1) : undefined;
  response.json({ changed, after: last ?? null } satisfies ChangedKeys);
}
