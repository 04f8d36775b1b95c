// Leaves out of a message that streams by the Authentication-Results fields that claim to be ours: nobody but us writes those.
import { claimsToBeOurs, headerFields } from './header-fields.ts';

/** A header section beyond this is none that we can look through; no forged field is found behind it, nor read by anyone. */
const MAX_HEADER_BYTES = 1024 * 1024;

export class ForgedResultsFilter {
  readonly #authservId: string;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #isDone = false;
  /** Fields left out. */
  stripped = 0;

  constructor(authservId: string) {
    this.#authservId = authservId;
  }

  /** @returns what may go on by now, maybe nothing */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#isDone) return chunk;
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    // Looked through when the end may be there, not at each byte that comes.
    if (this.#heldBytes <= MAX_HEADER_BYTES && !this.#mayEnd()) return NOTHING;
    return this.end();
  }

  /** The rest. */
  end(): Uint8Array {
    if (this.#isDone) return NOTHING;
    this.#isDone = true;
    const all = Buffer.concat(this.#held);
    this.#held = [];
    const kept: Uint8Array[] = [];
    let from = 0;
    for (const field of headerFields(all).fields) {
      if (!claimsToBeOurs(all, field, this.#authservId)) continue;
      kept.push(all.subarray(from, field.start));
      from = field.end;
      this.stripped++;
    }
    return from === 0 ? all : Buffer.concat([...kept, all.subarray(from)]);
  }

  #mayEnd(): boolean {
    if (this.#held.length > 1) this.#held = [Buffer.concat(this.#held)];
    const [all] = this.#held;
    if (!all) return false;
    return headerFields(all).end !== undefined;
  }
}

const NOTHING = new Uint8Array();
