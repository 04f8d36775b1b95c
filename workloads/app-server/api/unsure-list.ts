// Whose mail waits for the user index, in a document beside the blobs for each app server: what a server that died can't
// tell. All servers of the cell look at all of them, and open the logs that are theirs now.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Documents } from '../../common/blobs/blob-store.ts';
import type { Logger } from '../../common/log.ts';

const PREFIX = 'unsure-mail-';
const FORMAT = 1;
/** How soon it is seen that the ring has changed. */
const TICK_MS = 1_000;
/** How often documents are looked at while the ring stays as it is. */
const LOOK_MS = 60_000;
/** How soon it is tried again where something could not be read. */
const RETRY_MS = 10_000;
/** So long users who went to other servers stay on a list, for those to find them. */
export const GIVEN_MS = 10 * 60_000;
/** Between two writes: a server that dies in this time leaves out whom it noted last. */
const WRITE_MS = 1_000;
/** Between two logs that are opened: their users' requests come first. */
const VISIT_MS = 20;

const list = z.object({ format: z.literal(FORMAT), cell: z.string(), keys: z.array(z.string()) });

export type UnsureListOptions = {
  documents: Documents;
  cell: string;
  node: string;
  /** Another one: keys may have other owners. */
  ringVersion: () => number;
  logger: Logger;
  tickMs?: number;
};

/** What became of a key: nothing more to do here, for now; another server has it; or it could not be found out. */
export type Visited = 'done' | 'elsewhere' | 'failed';

export class UnsureList {
  readonly #options: UnsureListOptions;
  readonly #name: string;
  readonly #ending = new AbortController();
  /** Of this server's last life, not visited yet. */
  readonly #inherited = new Set<string>();
  readonly #bornAt = performance.now();
  /** By document: what it said, and at which ring, when all of its keys were visited. */
  readonly #looked = new Map<string, string>();
  #held: () => Iterable<string> = () => [];
  #isRead = false;
  #isDirty = false;
  /** Ends the waiting for something to write. */
  #wake = (): void => {};
  #running: Promise<unknown> | undefined;

  constructor(options: UnsureListOptions) {
    this.#options = options;
    this.#name = `${PREFIX}${options.cell}-${digest(options.node).slice(0, 16)}.json`;
  }

  /**
   * From now on visits the keys of all documents, and keeps this server's own.
   * @param held whom this server's document is to name
   */
  start(held: () => Iterable<string>, visit: (key: string) => Promise<Visited>): void {
    this.#held = held;
    this.#running = Promise.all([this.#keepLooking(visit), this.#keepWriting()]);
  }

  /** Whom this server holds has changed. */
  note(): void {
    this.#isDirty = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#wake();
    await this.#running;
  }

  async #keepLooking(visit: (key: string) => Promise<Visited>): Promise<void> {
    const { ringVersion, logger, tickMs = TICK_MS } = this.#options;
    const { signal } = this.#ending;
    let nextAt = -Infinity;
    let lookedAtRing = -1;
    while (!signal.aborted) {
      const ring = ringVersion();
      if (ring !== lookedAtRing || performance.now() >= nextAt) {
        const isDone = await this.#look(visit, ring).catch((error: unknown) => {
          logger.warn({ err: error }, 'the lists of mail that waits for the user index could not be read');
          return false;
        });
        lookedAtRing = ring;
        nextAt = performance.now() + (isDone ? LOOK_MS : RETRY_MS);
      }
      await this.#pause(tickMs);
    }
  }

  /** @returns false when some of it has to be looked at again */
  async #look(visit: (key: string) => Promise<Visited>, ring: number): Promise<boolean> {
    const { documents, cell } = this.#options;
    let isDone = true;
    for (const name of await documents.list()) {
      if (!name.startsWith(`${PREFIX}${cell}-`)) continue;
      const bytes = await documents.get(name);
      const data = parse(bytes);
      if (data?.cell !== cell) continue;
      const isOwn = name === this.#name;
      if (isOwn && !this.#isRead) for (const key of data.keys) this.#inherited.add(key);
      // What this life of the server has written itself it knows.
      const keys = isOwn ? [...this.#inherited] : data.keys;
      const version = `${ring} ${digest(bytes ?? '')}`;
      if (!isOwn && this.#looked.get(name) === version) continue;
      if (await this.#visitAll(keys, visit)) this.#looked.set(name, version);
      else isDone = false;
    }
    this.#isRead = true;
    this.#wake();
    return isDone;
  }

  async #visitAll(keys: readonly string[], visit: (key: string) => Promise<Visited>): Promise<boolean> {
    let isDone = true;
    for (const key of keys) {
      if (this.#ending.signal.aborted) return false;
      const visited = await visit(key);
      if (visited === 'failed') isDone = false;
      // Who is elsewhere may yet have to be found here.
      const isOver = visited === 'done' || performance.now() - this.#bornAt >= GIVEN_MS;
      if (isOver && this.#inherited.delete(key)) this.note();
      if (visited !== 'elsewhere') await this.#pause(VISIT_MS);
    }
    return isDone;
  }

  async #keepWriting(): Promise<void> {
    const { documents, cell, logger } = this.#options;
    const { signal } = this.#ending;
    let written: string | undefined;
    while (!signal.aborted) {
      // Not over what the last life left, before that is known.
      if (this.#isDirty && this.#isRead) {
        this.#isDirty = false;
        const keys = [...new Set([...this.#held(), ...this.#inherited])];
        const text = JSON.stringify({ format: FORMAT, cell, keys });
        try {
          if (text !== written) await documents.put(this.#name, Buffer.from(text));
          written = text;
        } catch (error) {
          this.#isDirty = true;
          logger.warn({ err: error }, 'the list of mail that waits for the user index could not be stored');
        }
        await this.#pause(WRITE_MS);
      } else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }
}

/** @returns undefined when it is none, or of a later version: then it is passed over */
function parse(bytes: Uint8Array | undefined): z.infer<typeof list> | undefined {
  try {
    return list.parse(JSON.parse(Buffer.from(bytes ?? '').toString('utf8')));
  } catch {
    return undefined;
  }
}

function digest(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
