// An incremental parser of messages (RFC 5322, RFC 2045 to 2049): bytes in, structure with offsets out. Any bytes parse
// to something; where chunks end makes no difference; bodies are not kept beyond what the preview needs.
import { selectBodies } from './bodies.ts';
import { splitHeaders } from './header-fields.ts';
import { summarize } from './header-summary.ts';
import type { ParsedMessage } from './message.ts';
import { PartBuilder } from './part-builder.ts';
import { makePreview } from './preview.ts';
import { withinBounds } from './within-bounds.ts';

/** Deeper multiparts are leaves: hostile nesting costs no stack, and JSON of the structure stays under usual bounds of depth. */
const MAX_DEPTH = 20;
/** The part after the last one takes all the rest. */
const MAX_PARTS = 1_000;
/** A boundary line has at most 70 characters, two hyphens on each side and white space (RFC 2046 section 5.1.1). */
const MAX_BOUNDARY_LINE_BYTES = 998;

/** Kept of all text parts together, for the preview. */
const MAX_SAMPLED_BYTES = 64 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const HYPHEN = 0x2d;
const LINE_OF_HYPHEN = Buffer.from('\n-');
const SPACE = 0x20;
const TAB = 0x09;

export class MessageParser {
  /** From the outermost multipart to the part that bytes go to now. */
  readonly #stack: PartBuilder[] = [];
  readonly #root: PartBuilder;
  #parts = 1;
  #offset = 0;
  /** The start of the present line is held back while it may be a boundary or a header. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** The present line is too long to mean anything: its bytes go on as they come. */
  #passing = false;

  constructor() {
    const samples = { leftBytes: MAX_SAMPLED_BYTES };
    this.#root = new PartBuilder({ offset: 0, path: [], isDigest: false, samples });
    this.#stack.push(this.#root);
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    while (start < chunk.length) {
      const linesEnd = this.#plainLinesEnd(chunk, start);
      if (linesEnd > start) {
        this.#append(chunk.subarray(start, linesEnd));
        start = linesEnd;
        continue;
      }
      const newline = chunk.indexOf(LF, start);
      const end = newline === -1 ? chunk.length : newline + 1;
      this.#piece(chunk.subarray(start, end), newline !== -1);
      start = end;
    }
  }

  end(): ParsedMessage {
    if (this.#heldBytes > 0) this.#line(this.#takeHeld());
    while (this.#stack.length > 0) this.#stack.pop()?.close(this.#offset);
    const structure = this.#root.build();
    const fields = splitHeaders(this.#root.headerBlock);
    const bodies = selectBodies(structure);
    return withinBounds({
      headers: summarize(fields),
      preview: makePreview(bodies.text, (part) => this.#root.sampleOf(part)),
      hasAttachment: bodies.attachments.some((part) => part.disposition !== 'inline'),
      structure,
      sizeBytes: this.#offset,
      headerBytes: structure.headerBytes,
    });
  }

  get #current(): PartBuilder {
    return this.#stack.at(-1) ?? this.#root;
  }

  /**
   * Where the lines from `start` on end that can be no boundary, all at once: bodies are most of a message. `start` when
   * the next line must be looked at, or is not whole.
   */
  #plainLinesEnd(chunk: Uint8Array, start: number): number {
    if (this.#passing || this.#heldBytes > 0 || this.#current.inHeaders || chunk[start] === HYPHEN)
      return start;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const suspect = bytes.indexOf(LINE_OF_HYPHEN, start);
    return (suspect === -1 ? bytes.lastIndexOf(LF) : suspect) + 1 || start;
  }

  /** A line, or a piece of one that went over the end of a chunk. */
  #piece(piece: Uint8Array, complete: boolean): void {
    if (this.#passing) {
      this.#append(piece);
      this.#passing = !complete;
      return;
    }
    if (complete && this.#heldBytes === 0) {
      this.#line(piece);
      return;
    }
    this.#held.push(piece.slice());
    this.#heldBytes += piece.length;
    if (complete) this.#line(this.#takeHeld());
    else if (this.#heldBytes > MAX_BOUNDARY_LINE_BYTES && !this.#current.inHeaders) {
      this.#passing = true;
      this.#append(this.#takeHeld());
    } else if (this.#heldBytes > PartBuilder.MAX_HEADER_BYTES) {
      this.#passing = true;
      this.#append(this.#takeHeld());
    }
  }

  #takeHeld(): Uint8Array {
    const line = this.#held.length === 1 && this.#held[0] ? this.#held[0] : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    return line;
  }

  #append(bytes: Uint8Array): void {
    this.#current.take(bytes);
    this.#offset += bytes.length;
  }

  #line(line: Uint8Array): void {
    if (
      line[0] === HYPHEN &&
      line[1] === HYPHEN &&
      line.length <= MAX_BOUNDARY_LINE_BYTES &&
      this.#boundary(line)
    ) {
      this.#offset += line.length;
      return;
    }
    const part = this.#current;
    if (part.inHeaders && isEmptyLine(line)) {
      this.#offset += line.length;
      part.endHeaders(this.#offset, this.#stack.length < MAX_DEPTH && this.#parts < MAX_PARTS);
      return;
    }
    this.#append(line);
  }

  /** @returns true when the line is a boundary of one of the open multiparts */
  #boundary(line: Uint8Array): boolean {
    const length = lengthWithoutTail(line);
    for (let depth = this.#stack.length - 1; depth >= 0; depth--) {
      const multipart = this.#stack[depth];
      if (!multipart?.delimiter) continue;
      const closes = isText(line, length, multipart.closeDelimiter);
      if (!closes && !isText(line, length, multipart.delimiter)) continue;
      if (!closes && this.#parts >= MAX_PARTS) return false;
      while (this.#stack.length > depth + 1) this.#stack.pop()?.close(this.#offset);
      multipart.endChild(this.#offset);
      if (closes) multipart.endChildren();
      else {
        this.#parts++;
        this.#stack.push(multipart.startChild(this.#offset + line.length));
      }
      return true;
    }
    return false;
  }
}

/** Parses a whole message. */
export function parseMessage(bytes: Uint8Array): ParsedMessage {
  const parser = new MessageParser();
  parser.push(bytes);
  return parser.end();
}

function isEmptyLine(line: Uint8Array): boolean {
  return line.length === 1 ? line[0] === LF : line.length === 2 && line[0] === CR && line[1] === LF;
}

/** Without white space and line break at its end. No regular expression: those look at blanks again and again. */
function lengthWithoutTail(line: Uint8Array): number {
  let end = line.length;
  while (end > 0) {
    const byte = line[end - 1];
    if (byte !== SPACE && byte !== TAB && byte !== CR && byte !== LF) break;
    end--;
  }
  return end;
}

/** Do the first `length` bytes say this text, in Latin-1? */
function isText(line: Uint8Array, length: number, text: string): boolean {
  return (
    length === text.length && Buffer.from(line.buffer, line.byteOffset, length).toString('latin1') === text
  );
}

export type { ParsedMessage };
