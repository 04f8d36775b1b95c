// Content transfer encodings (RFC 2045 section 6), tolerant: any bytes decode to something. The counting forms agree with
// the decoding ones to the byte, so that a part's decoded size is known without keeping it.

const EQUALS = 0x3d;
const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;

/** True for the letters, digits, `+` and `/` of base64; everything else but `=` is passed over. */
const BASE64 = new Uint8Array(256);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') {
  BASE64[char.charCodeAt(0)] = 1;
}

export interface SizeCounter {
  push(bytes: Uint8Array): void;
  /** Decoded bytes of all that was pushed. */
  end(): number;
}

export function sizeCounter(encoding: string): SizeCounter {
  if (encoding === 'base64') return new Base64Counter();
  if (encoding === 'quoted-printable') return new QuotedPrintable(undefined);
  return new PlainCounter();
}

/** Decodes a body in its transfer encoding; an encoding that isn't known leaves it as it is. */
export function decodeTransfer(bytes: Uint8Array, encoding: string): Uint8Array {
  if (encoding === 'base64') return decodeBase64(bytes);
  if (encoding === 'quoted-printable') {
    const decoder = new QuotedPrintable(new Uint8Array(bytes.length));
    decoder.push(bytes);
    return decoder.decoded();
  }
  return bytes;
}

/** Padding ends a group; what follows starts the next one, as where several encodings were put one after the other. */
function decodeBase64(bytes: Uint8Array): Uint8Array {
  const groups: Buffer[] = [];
  const letters = Buffer.allocUnsafe(bytes.length);
  let count = 0;
  const flush = (): void => {
    if (count > 0) groups.push(Buffer.from(letters.toString('latin1', 0, count), 'base64'));
    count = 0;
  };
  for (const byte of bytes) {
    if (BASE64[byte] === 1) letters[count++] = byte;
    else if (byte === EQUALS) flush();
  }
  flush();
  return groups.length === 1 && groups[0] ? groups[0] : Buffer.concat(groups);
}

class PlainCounter implements SizeCounter {
  #size = 0;

  push(bytes: Uint8Array): void {
    this.#size += bytes.length;
  }

  end(): number {
    return this.#size;
  }
}

class Base64Counter implements SizeCounter {
  #size = 0;
  #letters = 0;

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (BASE64[byte] === 1) this.#letters++;
      else if (byte === EQUALS) this.#flush();
    }
  }

  end(): number {
    this.#flush();
    return this.#size;
  }

  #flush(): void {
    this.#size += Math.floor((this.#letters * 3) / 4);
    this.#letters = 0;
  }
}

/**
 * Decodes byte by byte, so that it does not matter where chunks end. White space at the end of a line is dropped
 * (RFC 2045 section 6.7 rule 3), `=` at the end of a line joins it with the next, a broken `=` stays as it is.
 */
class QuotedPrintable implements SizeCounter {
  readonly #output: Uint8Array | undefined;
  #size = 0;
  /** What has been read of the present `=…`, or of white space that may end the line. */
  readonly #held: number[] = [];

  constructor(output: Uint8Array | undefined) {
    this.#output = output;
  }

  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const end = this.#held.length === 0 ? plainEnd(bytes, at) : at;
      if (end > at) {
        this.#output?.set(bytes.subarray(at, end), this.#size);
        this.#size += end - at;
        at = end;
      } else this.#take(bytes[at++] ?? 0);
    }
  }

  end(): number {
    if (this.#held[0] === EQUALS) {
      // A soft line break at the very end, or a broken escape.
      if (this.#held.slice(1).some((byte) => byte !== SPACE && byte !== TAB && byte !== CR)) this.#release();
    }
    this.#held.length = 0;
    return this.#size;
  }

  decoded(): Uint8Array {
    const size = this.end();
    return (this.#output ?? new Uint8Array()).subarray(0, size);
  }

  #take(byte: number): void {
    if (this.#held[0] === EQUALS) this.#afterEquals(byte);
    else if (byte === SPACE || byte === TAB) this.#hold(byte);
    else if (byte === EQUALS) {
      this.#release();
      this.#held.push(byte);
    } else {
      // White space before a line break is dropped; CR may be that break's first byte.
      if (byte === LF || byte === CR) this.#held.length = 0;
      else this.#release();
      this.#emit(byte);
    }
  }

  /** White space that goes on and on is let go in parts: no bound on memory is worth exactness there. */
  #hold(byte: number): void {
    this.#held.push(byte);
    if (this.#held.length > MAX_HELD) this.#release();
  }

  #afterEquals(byte: number): void {
    const held = this.#held;
    if (byte === LF) {
      const soft = held.slice(1).every((one) => one === SPACE || one === TAB || one === CR);
      if (!soft) this.#release();
      held.length = 0;
      if (!soft) this.#emit(byte);
      return;
    }
    const second = held[1];
    if (second === undefined && hexValue(byte) >= 0) {
      held.push(byte);
      return;
    }
    if (second !== undefined && hexValue(second) >= 0) {
      const low = hexValue(byte);
      if (low >= 0) {
        held.length = 0;
        this.#emit(hexValue(second) * 16 + low);
        return;
      }
    } else if ((byte === SPACE || byte === TAB || byte === CR) && held.length <= MAX_HELD) {
      held.push(byte);
      return;
    }
    this.#release();
    this.#take(byte);
  }

  #release(): void {
    const held = [...this.#held];
    this.#held.length = 0;
    for (const byte of held) this.#emit(byte);
  }

  #emit(byte: number): void {
    if (this.#output) this.#output[this.#size] = byte;
    this.#size++;
  }
}

const MAX_HELD = 1000;

/** Where the bytes from `start` on end that stand for themselves wherever they are. */
function plainEnd(bytes: Uint8Array, start: number): number {
  let end = start;
  while (end < bytes.length) {
    const byte = bytes[end];
    if (byte === EQUALS || byte === SPACE || byte === TAB || byte === CR || byte === LF) break;
    end++;
  }
  return end;
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  if (byte >= 0x41 && byte <= 0x46) return byte - 0x37;
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57;
  return -1;
}
