// What users' logs say of friends, as numbers and without an object for each user: a record for each, one after another in
// chunks. A record is never changed: a new one is written, and the old one is garbage. When that is more than an eighth of
// all, each new record has one chunk with much garbage written anew, so that memory stays compact whatever is said, a little
// work at a time.
import { isSame } from './sorted.ts';

/** What one user's log says: numbers of others, each list sorted. Good until the user's next record. */
export type UserWords = { readonly added: Uint32Array; readonly removed: Uint32Array };

/** Numbers in a chunk: to copy one takes some 50 µs. */
const CHUNK = 65_536;
/** Longer records have a chunk of their own, so that little is left over at the ends of the others. */
const LARGE = CHUNK / 32;
/** The user, how many were added, how many were removed. */
const HEADER = 3;
const MAX_GARBAGE = 1 / 8;
const FIRST_USERS = 1_024;
const NOBODY = new Uint32Array();

type Chunk = { numbers: Uint32Array; filled: number; live: number };

export class WordLists {
  readonly #chunks: (Chunk | undefined)[] = [];
  readonly #freePlaces: number[] = [];
  /** Which chunk is being filled; -1: none. */
  #filling = -1;
  /** Where to look for garbage next. */
  #hand = 0;
  /** By user: chunk and place in it, and 1; 0 is no record. */
  #at = new Float64Array(FIRST_USERS);
  #size = 0;
  #held = 0;
  #live = 0;

  /** Users of whom there is something. */
  get size(): number {
    return this.#size;
  }

  /** Memory of the arrays. */
  get byteLength(): number {
    return this.#at.byteLength + this.#held * Uint32Array.BYTES_PER_ELEMENT;
  }

  get(user: number): UserWords | undefined {
    const found = this.#find(user);
    if (!found) return undefined;
    const { numbers, at } = found;
    const middle = at + HEADER + (numbers[at + 1] as number);
    return {
      added: numbers.subarray(at + HEADER, middle),
      removed: numbers.subarray(middle, middle + (numbers[at + 2] as number)),
    };
  }

  /**
   * Takes the place of what was said before; two empty lists are nothing said.
   * @returns whether that is anything new
   */
  set(user: number, { added, removed }: UserWords): boolean {
    const before = this.get(user);
    const isNothing = added.length === 0 && removed.length === 0;
    if (before ? isSame(before.added, added) && isSame(before.removed, removed) : isNothing) return false;
    if (before) this.#drop(user);
    if (!isNothing) {
      const record = new Uint32Array(HEADER + added.length + removed.length);
      record.set([user, added.length, removed.length]);
      record.set(added, HEADER);
      record.set(removed, HEADER + added.length);
      this.#write(user, record);
      this.#size++;
    }
    this.#clean();
    return true;
  }

  /** Users of whom there is something, in the order of their numbers; may be changed meanwhile. */
  *users(): Generator<number, void, undefined> {
    for (let user = 0; user < this.#at.length; user++) if (this.#at[user]) yield user;
  }

  /** The user's record as it lies: the user, how many were added, how many were removed, and those. */
  record(user: number): Uint32Array {
    const found = this.#find(user);
    return found ? recordAt(found.numbers, found.at) : Uint32Array.of(user, 0, 0);
  }

  #find(user: number): { numbers: Uint32Array; at: number } | undefined {
    const place = this.#at[user];
    if (!place) return undefined;
    const { numbers } = this.#chunks[Math.floor((place - 1) / CHUNK)] as Chunk;
    return { numbers, at: (place - 1) % CHUNK };
  }

  #write(user: number, record: Uint32Array): void {
    const { length } = record;
    const place = length > LARGE ? this.#addChunk(length) : this.#placeFor(length);
    const chunk = this.#chunks[place] as Chunk;
    chunk.numbers.set(record, chunk.filled);
    if (user >= this.#at.length) {
      const larger = new Float64Array(Math.max(user + 1, Math.ceil(this.#at.length * 1.5)));
      larger.set(this.#at);
      this.#at = larger;
    }
    this.#at[user] = place * CHUNK + chunk.filled + 1;
    chunk.filled += length;
    chunk.live += length;
    this.#live += length;
  }

  #placeFor(length: number): number {
    const filling = this.#chunks[this.#filling];
    if (filling && filling.filled + length <= CHUNK) return this.#filling;
    this.#filling = this.#addChunk(CHUNK);
    return this.#filling;
  }

  #addChunk(length: number): number {
    const place = this.#freePlaces.pop() ?? this.#chunks.length;
    this.#chunks[place] = { numbers: new Uint32Array(length), filled: 0, live: 0 };
    this.#held += length;
    return place;
  }

  #drop(user: number): void {
    const place = Math.floor(((this.#at[user] as number) - 1) / CHUNK);
    const { length } = this.record(user);
    const chunk = this.#chunks[place] as Chunk;
    chunk.live -= length;
    this.#live -= length;
    this.#at[user] = 0;
    this.#size--;
    if (chunk.live === 0 && place !== this.#filling) this.#free(place);
  }

  #free(place: number): void {
    this.#held -= (this.#chunks[place] as Chunk).numbers.length;
    this.#chunks[place] = undefined;
    this.#freePlaces.push(place);
  }

  /** Writes the live records of one chunk anew, when there is much garbage: then some chunk has as much of it as all do. */
  #clean(): void {
    if (this.#held - this.#live <= CHUNK + this.#held * MAX_GARBAGE) return;
    for (let looked = 0; looked < this.#chunks.length; looked++) {
      const place = this.#hand++ % this.#chunks.length;
      const chunk = this.#chunks[place];
      if (!chunk || place === this.#filling) continue;
      const { numbers, filled, live } = chunk;
      if (numbers.length - live < numbers.length * MAX_GARBAGE) continue;
      for (let at = 0; at < filled;) {
        const record = recordAt(numbers, at);
        const user = record[0] as number;
        if (this.#at[user] === place * CHUNK + at + 1) {
          this.#live -= record.length;
          this.#write(user, record);
        }
        at += record.length;
      }
      this.#free(place);
      return;
    }
  }
}

/** The record that begins there. */
export function recordAt(numbers: Uint32Array, at: number): Uint32Array {
  return numbers.subarray(at, at + HEADER + (numbers[at + 1] as number) + (numbers[at + 2] as number));
}

/** @returns undefined when these numbers are no record */
export function wordsOf(record: Uint32Array): (UserWords & { user: number }) | undefined {
  const [user, added, removed] = record;
  if (user === undefined || added === undefined || removed === undefined) return undefined;
  if (record.length !== HEADER + added + removed) return undefined;
  const middle = HEADER + added;
  return {
    user,
    added: added > 0 ? record.subarray(HEADER, middle) : NOBODY,
    removed: removed > 0 ? record.subarray(middle) : NOBODY,
  };
}
