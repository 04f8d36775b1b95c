// Reads whole logs of the platform, from whichever app server owns them.
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { entryCodec } from '../../workloads/app-server/log/entry.ts';
import type { Action } from '../../workloads/app-server/log/actions.ts';
import type { LogEntry } from '../../workloads/app-server/log/entry-codec.ts';
import type { CellResponse, RequestOptions } from '../../workloads/common/cell-client/sender.ts';
import { UnexpectedAnswer } from '../../workloads/common/cell-client/errors.ts';
import { readRows, type TransferRow } from '../../workloads/common/transfer/transfer-rows.ts';

/** What of Cells is needed here. */
export type LogSource = { request(key: string, options: RequestOptions): Promise<CellResponse> };

export const headSchema = z.object({
  seq: z.number().int(),
  timeMs: z.number(),
  /** Of the entry's bytes; no two entries are the same. */
  sha256: z.string(),
});
export type Head = z.infer<typeof headSchema>;

/** An answer that breaks off is asked for again from where it ended, this often without any progress. */
const MAX_FAILURES = 5;

/** @returns the newest entry; undefined when the key has no log @throws Unassigned for a key whose bucket has no cell */
export async function readHead(source: LogSource, key: string): Promise<Head | undefined> {
  const path = `/logs/${encodeURIComponent(key)}/head`;
  const response = await source.request(key, { method: 'GET', path, idempotent: true });
  if (response.status === 404) {
    await response.body.dump();
    return undefined;
  }
  if (response.status !== 200) throw await unexpected(`GET ${path}`, response);
  return headSchema.parse(await response.json());
}

/** The entries of a key from one number to another, both included, or to the log's end. Memory: an entry or so. */
export async function* readEntries(
  source: LogSource,
  key: string,
  options: { from?: number; to?: number; bodies?: boolean } = {},
): AsyncGenerator<TransferRow> {
  const { to = Number.MAX_SAFE_INTEGER, bodies = true } = options;
  let next = options.from ?? 1;
  for (let failures = 0; next <= to;) {
    const query = new URLSearchParams({ from: String(next), to: String(to), bodies: String(bodies) });
    const path = `/logs/${encodeURIComponent(key)}/entries?${query}`;
    const response = await source.request(key, { method: 'GET', path, idempotent: true });
    if (response.status !== 200) throw await unexpected(`GET ${path}`, response);
    const first = next;
    try {
      for await (const row of readRows(response.body)) {
        if (row.seq !== next) throw new UnexpectedAnswer(`entry ${next} of ${key}`, 200, `entry ${row.seq}`);
        next++;
        yield row;
      }
      if (next === first) return;
      failures = 0;
    } catch (error) {
      if (error instanceof UnexpectedAnswer) throw error;
      failures = next > first ? 1 : failures + 1;
      if (failures > MAX_FAILURES) throw error;
    } finally {
      response.body.destroy();
    }
  }
}

export function decodeEntry(row: TransferRow): LogEntry<Action> {
  return entryCodec.decode(row.entry);
}

/** @returns the number of the first entry of that time or later; one after the last when there is none */
export async function seqAtTime(source: LogSource, key: string, timeMs: number, head: Head): Promise<number> {
  if (head.timeMs < timeMs) return head.seq + 1;
  let [low, high] = [1, head.seq];
  // Times never go back from an entry to the next.
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const entry = await readEntry(source, key, middle);
    if (!entry || entry.timeMs >= timeMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

export async function readEntry(
  source: LogSource,
  key: string,
  seq: number,
): Promise<LogEntry<Action> | undefined> {
  for await (const row of readEntries(source, key, { from: seq, to: seq, bodies: false }))
    return decodeEntry(row);
  return undefined;
}

async function unexpected(what: string, response: CellResponse): Promise<UnexpectedAnswer> {
  return new UnexpectedAnswer(what, response.status, await text(response.body));
}
