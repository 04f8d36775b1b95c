// The content of a message on the wire: line breaks are CRLF and nothing else, transparency dots (RFC 5321 section 4.5.2).
// Only CRLF "." CRLF ends DATA; a bare CR or LF makes the message bad, but never ends anything: that is what smuggling
// lives on.

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;

/** Finds bare CR and bare LF; where chunks end makes no difference. */
export class LineBreakCheck {
  #lastWasCr = false;
  bare = false;

  push(chunk: Uint8Array): void {
    if (this.bare || chunk.length === 0) return;
    if (this.#lastWasCr && chunk[0] !== LF) this.bare = true;
    for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) {
      if (at === 0 ? !this.#lastWasCr : chunk[at - 1] !== CR) this.bare = true;
    }
    for (let at = chunk.indexOf(CR); at !== -1; at = chunk.indexOf(CR, at + 1)) {
      if (at + 1 < chunk.length && chunk[at + 1] !== LF) this.bare = true;
    }
    this.#lastWasCr = chunk[chunk.length - 1] === CR;
  }
}

/** Takes DATA's bytes, gives the content's, and says where it ends. */
export class DotDecoder {
  readonly check = new LineBreakCheck();
  /** 'start': at the start of a line; 'dot', 'dotCr': after a `.` and after `.` CR there; 'text'; 'cr': after CR in it. */
  #state: 'start' | 'dot' | 'dotCr' | 'text' | 'cr' = 'start';
  /** Bytes of `chunk` that belong to the message, once it has ended; the rest is the client's next command. */
  consumed = 0;
  ended = false;

  /** @returns the content in this chunk, in pieces */
  push(chunk: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    const emit = (bytes: Uint8Array): void => {
      if (bytes.length === 0) return;
      this.check.push(bytes);
      pieces.push(bytes);
    };
    let from = 0;
    let i = 0;
    while (i < chunk.length) {
      const byte = chunk[i];
      switch (this.#state) {
        case 'start':
          if (byte === DOT) {
            emit(chunk.subarray(from, i));
            from = i + 1;
            this.#state = 'dot';
          } else this.#state = byte === CR ? 'cr' : 'text';
          i++;
          break;
        case 'dot':
          // The dot was there for transparency, or begins the end.
          if (byte === CR) {
            this.#state = 'dotCr';
            from = i + 1;
          } else this.#state = 'text';
          i++;
          break;
        case 'dotCr':
          if (byte === LF) {
            this.ended = true;
            this.consumed = i + 1;
            return pieces;
          }
          // No end: the CR was content, and a bare one.
          emit(CR_BYTES);
          from = i;
          this.#state = byte === CR ? 'cr' : 'text';
          i++;
          break;
        case 'cr':
          this.#state = byte === LF ? 'start' : byte === CR ? 'cr' : 'text';
          i++;
          break;
        case 'text': {
          const cr = chunk.indexOf(CR, i);
          i = cr === -1 ? chunk.length : cr + 1;
          if (cr !== -1) this.#state = 'cr';
          break;
        }
      }
    }
    emit(chunk.subarray(from, this.#state === 'dot' || this.#state === 'dotCr' ? from : chunk.length));
    return pieces;
  }
}

const CR_BYTES = Uint8Array.of(CR);
