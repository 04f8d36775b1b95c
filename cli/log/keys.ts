// The keys of all logs, cell by cell.
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { UnexpectedAnswer } from '../../workloads/common/cell-client/errors.ts';
import { headSchema, type Head } from './log-client.ts';

const PAGE = 1_000;

const keysAnswer = z.object({ keys: z.array(z.string()) });
const headsAnswer = z.object({ heads: z.record(z.string(), headSchema) });

/** The keys that a cell's store holds, page by page, in the order of their hashes. */
export async function* listKeys(cells: Pick<Cells, 'requestCell'>, cell: string): AsyncGenerator<string[]> {
  for (let after: string | undefined; ;) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(after !== undefined && { after }) });
    const { keys } = keysAnswer.parse(await ask(cells, cell, 'GET', `/keys?${query}`));
    const last = keys.at(-1);
    if (last === undefined) return;
    yield keys;
    after = last;
  }
}

/** The newest entry of each of these keys, of those that the cell's store has a log of. */
export async function readHeads(
  cells: Pick<Cells, 'requestCell'>,
  cell: string,
  keys: readonly string[],
): Promise<Record<string, Head>> {
  return headsAnswer.parse(await ask(cells, cell, 'POST', '/logs/heads', { keys })).heads;
}

async function ask(
  cells: Pick<Cells, 'requestCell'>,
  cell: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await cells.requestCell(cell, {
    method,
    path,
    idempotent: true,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  if (response.status === 200) return await response.json();
  throw new UnexpectedAnswer(`${method} ${path}`, response.status, await text(response.body));
}
