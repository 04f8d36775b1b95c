// User ids and the dense numbers that the graph knows them by, without a string or an object for each: all ids one after
// another in an array of bytes, and a hash table of numbers. A million ids of 16 bytes take about 30 MB.

const MIN_SLOTS = 1_024;
/** FNV-1a, 32 bits. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Slots are doubled when more than half are taken. */
const MAX_FILL = 0.5;

export class IdTable {
  #bytes = new Uint8Array(MIN_SLOTS * 16);
  /** Where each id begins, and where the last one ends. */
  #starts = new Uint32Array(MIN_SLOTS + 1);
  /** Number + 1; 0 is free. */
  #slots = new Uint32Array(2 * MIN_SLOTS);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Memory of the arrays. */
  get byteLength(): number {
    return this.#bytes.byteLength + this.#starts.byteLength + this.#slots.byteLength;
  }

  /** @returns the number of an id; -1 when it has none */
  find(id: string): number {
    const bytes = Buffer.from(id, 'latin1');
    return (this.#slots[this.#slotOf(bytes, 0, bytes.length)] as number) - 1;
  }

  /** @returns the number of an id, which gets the next one when it has none */
  add(id: string): number {
    const bytes = Buffer.from(id, 'latin1');
    return this.addBytes(bytes, 0, bytes.length);
  }

  /** The same for an id that lies in a buffer. */
  addBytes(source: Uint8Array, start: number, end: number): number {
    const slot = this.#slotOf(source, start, end);
    const known = this.#slots[slot] as number;
    if (known > 0) return known - 1;
    const number = this.#count++;
    const at = this.#starts[number] as number;
    const length = end - start;
    if (at + length > this.#bytes.length) this.#bytes = grown(this.#bytes, at + length);
    if (number + 2 > this.#starts.length) this.#starts = grown(this.#starts, number + 2);
    for (let i = 0; i < length; i++) this.#bytes[at + i] = source[start + i] as number;
    this.#starts[number + 1] = at + length;
    this.#slots[slot] = number + 1;
    if (this.#count > this.#slots.length * MAX_FILL) this.#rehash();
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

  /** The slot that an id is in, or the free one where it belongs. */
  #slotOf(source: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
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

  #rehash(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#count; number++) {
      const slot = this.#slotOf(
        this.#bytes,
        this.#starts[number] as number,
        this.#starts[number + 1] as number,
      );
      this.#slots[slot] = number + 1;
    }
  }
}

/** Half as much again, or what is needed. */
function grown<T extends Uint8Array | Uint32Array>(array: T, needed: number): T {
  const length = Math.max(needed, Math.ceil(array.length * 1.5));
  const larger = array instanceof Uint8Array ? new Uint8Array(length) : new Uint32Array(length);
  larger.set(array);
  return larger as T;
}
