// Copying a log from one cell to another: entries as they are, under their own numbers.
import { createHash } from 'node:crypto';
import { buffer, text } from 'node:stream/consumers';
import { z } from 'zod';
import type { Cells } from '../cell-client/cells.ts';
import { UnexpectedAnswer } from '../cell-client/errors.ts';
import type { CellResponse, RequestOptions } from '../cell-client/sender.ts';
import { readRows } from '../transfer/transfer-rows.ts';

/** A step of a move may wait for an app server to be replaced. */
const STEP_DEADLINE_MS = 30_000;

const headAnswer = z.object({ seq: z.number().int(), sha256: z.string(), movedTo: z.string().optional() });
type Head = z.infer<typeof headAnswer>;
type Asker = Pick<Cells, 'request'>;
const seqAnswer = z.object({ seq: z.number().int() });

/** The other cell has another log under this key: nothing can be moved there. */
class MoveConflict extends Error {
  override name = 'MoveConflict';
}

/** Where the log in this cell says that it goes on, if that is its end. @throws Unavailable, UnexpectedAnswer */
export async function movedTo(cells: Asker, key: string, cell: string): Promise<string | undefined> {
  return (await readHead(cells, key, cell))?.movedTo;
}

/** Has the cell a log of this key that was not moved away? @throws Unavailable, UnexpectedAnswer */
export async function isServedIn(cells: Asker, key: string, cell: string): Promise<boolean> {
  const head = await readHead(cells, key, cell);
  return head !== undefined && (head.movedTo === undefined || head.movedTo === cell);
}

/** One log in two cells. */
export class LogCopier {
  readonly #cells: Asker;
  readonly #key: string;
  readonly #from: string;
  readonly #to: string;

  constructor(cells: Asker, key: string, from: string, to: string) {
    this.#cells = cells;
    this.#key = key;
    this.#from = from;
    this.#to = to;
  }

  /** The newest entry in the cell that it is moved from; 0 when there is no log. */
  async sourceHead(): Promise<number> {
    return (await readHead(this.#cells, this.#key, this.#from))?.seq ?? 0;
  }

  /**
   * How much of the log the other cell has already, from an attempt before or from the time when it lived there.
   * @throws MoveConflict when what it has is not the beginning of this log
   */
  async copied(): Promise<number> {
    const there = await readHead(this.#cells, this.#key, this.#to);
    if (!there) return 0;
    const query = new URLSearchParams({ from: `${there.seq}`, to: `${there.seq}`, bodies: 'false' });
    const response = await ask(this.#cells, this.#key, this.#from, {
      method: 'GET',
      path: pathOf(this.#key, `entries?${query}`),
    });
    for await (const row of readRows(response.body)) {
      const sha256 = createHash('sha256').update(row.entry).digest('hex');
      if (row.seq === there.seq && sha256 === there.sha256) return there.seq;
    }
    throw new MoveConflict(
      `${this.#key}: cell ${this.#to} has another entry ${there.seq} than ${this.#from}`,
    );
  }

  /** Copies entries `first` to `last`. @returns the newest that is copied @throws MoveConflict */
  async copy(first: number, last: number, onProgress: (entries: number) => void): Promise<number> {
    for (let next = first; next <= last;) {
      const query = new URLSearchParams({ from: `${next}`, to: `${last}` });
      const response = await ask(this.#cells, this.#key, this.#from, {
        method: 'GET',
        path: pathOf(this.#key, `entries?${query}`),
      });
      const body = await buffer(response.body);
      if (body.length === 0) throw new MoveConflict(`${this.#key} ends before entry ${next}`);
      const answer = await ask(this.#cells, this.#key, this.#to, {
        method: 'POST',
        path: pathOf(this.#key, 'entries'),
        headers: { 'content-type': 'application/octet-stream' },
        body,
      });
      const { seq } = seqAnswer.parse(await answer.json());
      onProgress(seq - next + 1);
      next = seq + 1;
    }
    return last;
  }

  /** Lets the other cell make a snapshot of what it has, so that it serves the log at once. */
  async prepare(): Promise<void> {
    const response = await ask(this.#cells, this.#key, this.#to, {
      method: 'POST',
      path: pathOf(this.#key, 'prepare'),
    });
    await response.body.dump();
  }

  /** Ends the log here. @returns its last entry */
  async freeze(): Promise<number> {
    const response = await ask(this.#cells, this.#key, this.#from, {
      method: 'POST',
      path: pathOf(this.#key, 'move'),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ toCell: this.#to }),
    });
    return seqAnswer.parse(await response.json()).seq;
  }
}

async function readHead(cells: Asker, key: string, cell: string): Promise<Head | undefined> {
  const response = await ask(cells, key, cell, { method: 'GET', path: pathOf(key, 'head') }, [404]);
  if (response.status !== 404) return headAnswer.parse(await response.json());
  await response.body.dump();
  return undefined;
}

function pathOf(key: string, rest: string): string {
  return `/logs/${encodeURIComponent(key)}/${rest}`;
}

/** Every step may be repeated. */
async function ask(
  cells: Asker,
  key: string,
  cell: string,
  options: Omit<RequestOptions, 'idempotent' | 'cell' | 'deadlineMs'>,
  alsoGood: readonly number[] = [],
): Promise<CellResponse> {
  const response = await cells.request(key, {
    ...options,
    cell,
    idempotent: true,
    deadlineMs: STEP_DEADLINE_MS,
  });
  if (response.status === 200 || alsoGood.includes(response.status)) return response;
  const detail = await text(response.body);
  if (response.status === 409)
    throw new MoveConflict(`Cell ${cell} refused ${options.path}: ${detail.slice(0, 200)}`);
  throw new UnexpectedAnswer(`${options.method} ${options.path} of cell ${cell}`, response.status, detail);
}
