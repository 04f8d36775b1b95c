// User ids and the dense numbers that the graph knows them by, without a string or an object for each: all ids one after
// another in an array of bytes, and a hash table of numbers. A million ids of 16 bytes take about 30 MB.

const MIN_SLOTS = 1_024;
/** FNV-1a, 32 bits. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Slots are doubled when more than half are taken. */
const MAX_FILL = 0.5;
/** Ids that go over to the doubled slots with each new one: all at once would be some tenths of a second for a million. */
const MOVED_AT_ONCE = 8;

export class IdTable {
  #bytes = new Uint8Array(MIN_SLOTS * 16);
  /** Where each id begins, and where the last one ends. */
  #starts = new Uint32Array(MIN_SLOTS + 1);
  /** Number + 1; 0 is free. */
  #slots = new Uint32Array(2 * MIN_SLOTS);
  /** The slots before the last doubling, while not all of their ids have gone over. */
  #old: { slots: Uint32Array; count: number; moved: number } | undefined;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Memory of the arrays. */
  get byteLength(): number {
    const slotBytes = this.#slots.byteLength + (this.#old?.slots.byteLength ?? 0);
    return this.#bytes.byteLength + this.#starts.byteLength + slotBytes;
  }

  /** @returns the number of an id; -1 when it has none */
  find(id: string): number {
    const bytes = Buffer.from(id, 'latin1');
    return this.#number(bytes, 0, bytes.length);
  }

  /** @returns the number of an id, which gets the next one when it has none */
  add(id: string): number {
    const bytes = Buffer.from(id, 'latin1');
    return this.addBytes(bytes, 0, bytes.length);
  }

  /** The same for an id that lies in a buffer. */
  addBytes(source: Uint8Array, start: number, end: number): number {
    const known = this.#number(source, start, end);
    if (known >= 0) return known;
    const number = this.#count++;
    const at = this.#starts[number] as number;
    const length = end - start;
    if (at + length > this.#bytes.length) this.#bytes = grown(this.#bytes, at + length);
    if (number + 2 > this.#starts.length) this.#starts = grown(this.#starts, number + 2);
    for (let i = 0; i < length; i++) this.#bytes[at + i] = source[start + i] as number;
    this.#starts[number + 1] = at + length;
    this.#slots[this.#slotIn(this.#slots, source, start, end)] = number + 1;
    if (this.#old) this.#move(this.#old);
    else if (this.#count > this.#slots.length * MAX_FILL) {
      this.#old = { slots: this.#slots, count: this.#count, moved: 0 };
      this.#slots = new Uint32Array(this.#slots.length * 2);
    }
    return number;
  }

  id(number: number): string {
    const from = this.#starts[number] as number;
    return Buffer.from(this.#bytes.buffer, from, (this.#starts[number + 1] as number) - from).toString(
      'latin1',
    );
  }

  /** All ids in the order of their numbers, a line each. */
  *lines(): Generator<Uint8Array, void, undefined> {
    const newline = Uint8Array.of(0x0a);
    for (let number = 0; number < this.#count; number++) {
      yield this.#bytes.subarray(this.#starts[number], this.#starts[number + 1]);
      yield newline;
    }
  }

  /** -1: it has none. */
  #number(source: Uint8Array, start: number, end: number): number {
    const found = (this.#slots[this.#slotIn(this.#slots, source, start, end)] as number) - 1;
    if (found >= 0 || !this.#old) return found;
    const { slots } = this.#old;
    return (slots[this.#slotIn(slots, source, start, end)] as number) - 1;
  }

  /** The slot that an id is in, or the free one where it belongs. */
  #slotIn(slots: Uint32Array, source: Uint8Array, start: number, end: number): number {
    const mask = slots.length - 1;
    let hash = FNV_OFFSET;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (source[i] as number), FNV_PRIME);
    // FNV's low bits are its weakest.
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const number = (slots[slot] as number) - 1;
      if (number < 0 || this.#isAt(number, source, start, end)) return slot;
    }
  }

  #isAt(number: number, source: Uint8Array, start: number, end: number): boolean {
    const from = this.#starts[number] as number;
    if ((this.#starts[number + 1] as number) - from !== end - start) return false;
    for (let i = start; i < end; i++) if (this.#bytes[from + i - start] !== source[i]) return false;
    return true;
  }

  /** They are done long before the slots are to be doubled again. */
  #move(old: { count: number; moved: number }): void {
    const end = Math.min(old.count, old.moved + MOVED_AT_ONCE);
    for (; old.moved < end; old.moved++) {
      const [from, to] = [this.#starts[old.moved] as number, this.#starts[old.moved + 1] as number];
      this.#slots[this.#slotIn(this.#slots, this.#bytes, from, to)] = old.moved + 1;
    }
    if (old.moved === old.count) this.#old = undefined;
  }
}

/** Half as much again, or what is needed. */
function grown<T extends Uint8Array | Uint32Array>(array: T, needed: number): T {
  const length = Math.max(needed, Math.ceil(array.length * 1.5));
  const larger = array instanceof Uint8Array ? new Uint8Array(length) : new Uint32Array(length);
  larger.set(array);
  return larger as T;
}
