// Whole logs, as they lie in the store, for services: moves between cells, backups, exports, sweeps.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { encodeRow, type TransferRow } from '../../common/transfer/transfer-rows.ts';
import { inParallel } from '../../common/parallel.ts';
import { entryCodec } from '../log/entry.ts';
import type { LogRow, LogStore } from '../log/log-store.ts';
import { checked, readChecked } from './read-body.ts';
import type { Services } from './services.ts';
import { notFound } from './wrap.ts';

const MAX_KEYS = 1_000;
const MAX_BUCKET = 65_535;
/** The longest key: `address:` and the longest address, with room to spare. */
const MAX_KEY_LENGTH = 512;
/** Entries and bodies of one answer; the last entry may take it above by its own size. */
const DEFAULT_ANSWER_BYTES = 4 * 1024 * 1024;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Rows that are held at once. */
const PAGE = { limit: 100, maxBytes: 1024 * 1024 };
/** Reads of the store under way for one request. */
const PARALLEL_READS = 16;

const seq = z.coerce.number().int().min(1);
const keysQuery = z.object({
  bucket: z.coerce.number().int().min(0).max(MAX_BUCKET).optional(),
  after: z.string().max(MAX_KEY_LENGTH).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_KEYS).default(MAX_KEYS),
});
const headsBody = z.strictObject({ keys: z.array(z.string().min(1).max(MAX_KEY_LENGTH)).max(MAX_KEYS) });
const entriesQuery = z.object({
  from: seq.default(1),
  to: seq.default(Number.MAX_SAFE_INTEGER),
  maxBytes: z.coerce.number().int().min(1).max(MAX_ANSWER_BYTES).default(DEFAULT_ANSWER_BYTES),
  bodies: z.enum(['true', 'false']).default('true'),
});

/** GET /keys?bucket=&after=&limit= → {keys}: of the whole cell's store, in its order, whoever owns them. */
export async function getKeys(services: Services, request: Request, response: Response): Promise<void> {
  const query = checked(request.query, response, keysQuery);
  if (query) response.json({ keys: await services.store.listKeys(query) });
}

/**
 * POST /logs/heads {keys} → {heads: {key: {seq, timeMs, sha256}}}: the newest entry of each log that this cell's store has,
 * whoever owns it. One cheap look for a log that has not changed.
 */
export async function postHeads(services: Services, request: Request, response: Response): Promise<void> {
  const body = await readChecked(request, response, headsBody);
  if (!body) return;
  const { keys } = body;
  const rows = await inParallel(keys, PARALLEL_READS, (key) => services.store.readLast(key));
  const heads: Record<string, Head> = {};
  for (const [index, key] of keys.entries()) {
    const row = rows[index];
    if (row) heads[key] = headOf(row);
  }
  response.json({ heads });
}

/** GET /logs/{key}/head → {seq, timeMs, sha256}, 404 for a key without a log. Of the owner only (421 else). */
export async function getHead(services: Services, request: Request, response: Response): Promise<void> {
  const key = String(request.params.key);
  services.gate.assertOwner(key);
  const row = await services.store.readLast(key);
  if (row) response.json(headOf(row));
  else notFound(response);
}

/**
 * GET /logs/{key}/entries?from=&to=&maxBytes=&bodies=false → frames of transfer rows, in order. It may end before `to`:
 * ask again from the number after the last one; nothing at all is the end of the log. Of the owner only (421 else).
 */
export async function getEntries(services: Services, request: Request, response: Response): Promise<void> {
  const key = String(request.params.key);
  const query = checked(request.query, response, entriesQuery);
  if (!query) return;
  services.gate.assertOwner(key);
  const { from, to, maxBytes } = query;
  const withBodies = query.bodies === 'true';
  response.status(200).setHeader('Content-Type', 'application/octet-stream');
  let sent = 0;
  for (let next = from; next <= to && sent < maxBytes && !response.destroyed;) {
    const limit = Math.min(PAGE.limit, to - next + 1);
    const rows = await services.store.read(key, next, { ...PAGE, limit });
    const last = rows.at(-1);
    if (!last) break;
    for (const row of rows) {
      const full = await withBodiesOf(services.store, key, row, withBodies);
      const bytes = encodeRow(full);
      if (!response.write(bytes)) await drained(response);
      sent += bytes.byteLength;
      if (sent >= maxBytes) break;
    }
    next = last.seq + 1;
  }
  response.end();
}

/** The hash is of the entry's bytes: no two entries are the same, so equal heads are of equal logs. */
type Head = { seq: number; timeMs: number; sha256: string; movedTo?: string };

function headOf({ seq, entry }: LogRow): Head {
  const sha256 = createHash('sha256').update(entry).digest('hex');
  const { timeMs, actions } = entryCodec.decode(entry);
  const last = actions.at(-1);
  return { seq, timeMs, sha256, ...(last?.type === 'moved' && { movedTo: last.toCell }) };
}

/** The bodies that an entry names. */
async function withBodiesOf(
  store: LogStore,
  key: string,
  row: LogRow,
  wanted: boolean,
): Promise<TransferRow> {
  if (!wanted) return { ...row, bodies: [] };
  const indices = entryCodec
    .decode(row.entry)
    .actions.flatMap((action) =>
      action.type === 'messageAdded' && action.body.kind === 'inline' ? [action.body.index] : [],
    );
  const bodies = await inParallel(indices, PARALLEL_READS, async (index) => {
    const bytes = await store.readBody(key, row.seq, index);
    if (!bytes) throw new Error(`entry ${row.seq} of ${key} has no body ${index}`);
    return { index, bytes };
  });
  return { ...row, bodies };
}

async function drained(response: Response): Promise<void> {
  await Promise.race([once(response, 'drain'), once(response, 'close')]);
}
