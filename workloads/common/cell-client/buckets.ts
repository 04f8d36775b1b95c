// Which cell each of the 65,536 buckets belongs to. Immutable; as text it is deflated: two cells with random buckets take
// some 11 KB, so that a map fits a node of ZooKeeper however it is scattered.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';

export const BUCKETS = 65_536;
/** Numbers of cells are 16-bit, 0 is none. */
const MAX_CELLS = 65_535;

export const encodedBuckets = z.object({
  format: z.literal(1),
  /** Names by number, from 1 on. */
  cells: z.array(z.string()).max(MAX_CELLS),
  /** Base64 of the deflated numbers, two bytes each, little-endian. */
  buckets: z.string(),
});
type EncodedBuckets = z.infer<typeof encodedBuckets>;

export class BucketMap {
  readonly #cells: readonly string[];
  readonly #numbers: Uint16Array;

  static readonly empty = new BucketMap([], new Uint16Array(BUCKETS));

  private constructor(cells: readonly string[], numbers: Uint16Array) {
    this.#cells = cells;
    this.#numbers = numbers;
  }

  cellOf(bucket: number): string | undefined {
    return this.#cells[(this.#numbers[bucket] ?? 0) - 1];
  }

  /** The map with some buckets given to a cell each, or to none. */
  with(changes: Iterable<readonly [bucket: number, cell: string | undefined]>): BucketMap {
    const cells = [...this.#cells];
    const numbers = this.#numbers.slice();
    for (const [bucket, cell] of changes) {
      let number = cell === undefined ? 0 : cells.indexOf(cell) + 1;
      if (cell !== undefined && number === 0) number = cells.push(cell);
      numbers[bucket] = number;
    }
    return new BucketMap(cells, numbers);
  }

  bucketsOf(cell: string): number[] {
    const number = this.#cells.indexOf(cell) + 1;
    return number === 0 ? [] : [...this.#numbers.keys()].filter((bucket) => this.#numbers[bucket] === number);
  }

  /** How many buckets each cell has; cells without are not in it. */
  counts(): Map<string, number> {
    const byNumber = new Uint32Array(this.#cells.length + 1);
    for (const number of this.#numbers) byNumber[number] = (byNumber[number] ?? 0) + 1;
    const counts = new Map<string, number>();
    for (const [i, cell] of this.#cells.entries()) {
      const count = byNumber[i + 1] ?? 0;
      if (count > 0) counts.set(cell, count);
    }
    return counts;
  }

  /** What makes `before` this map. */
  changesSince(before: BucketMap): [bucket: number, cell: string | null][] {
    const changes: [number, string | null][] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const cell = this.cellOf(bucket);
      if (cell !== before.cellOf(bucket)) changes.push([bucket, cell ?? null]);
    }
    return changes;
  }

  encode(): EncodedBuckets {
    // Cells without buckets are left out, and the numbers follow the names: equal maps are equal as text.
    const cells = [...this.counts().keys()].sort();
    const numberOf = this.#cells.map((cell) => cells.indexOf(cell) + 1);
    const bytes = Buffer.alloc(BUCKETS * 2);
    for (let bucket = 0; bucket < BUCKETS; bucket++)
      bytes.writeUInt16LE(numberOf[(this.#numbers[bucket] ?? 0) - 1] ?? 0, bucket * 2);
    return { format: 1, cells, buckets: deflateRawSync(bytes).toString('base64') };
  }

  /** @throws when this is no map, or one of a format that is not known here */
  static decode(value: unknown): BucketMap {
    const { cells, buckets } = encodedBuckets.parse(value);
    const bytes = inflateRawSync(Buffer.from(buckets, 'base64'), { maxOutputLength: BUCKETS * 2 });
    if (bytes.length !== BUCKETS * 2) throw new Error(`A map of ${bytes.length / 2} buckets.`);
    const numbers = new Uint16Array(BUCKETS);
    for (let bucket = 0; bucket < BUCKETS; bucket++) numbers[bucket] = bytes.readUInt16LE(bucket * 2);
    return new BucketMap(cells, numbers);
  }
}
