// One part while it is read.
import { lastField, splitHeaders, type HeaderField } from './header-fields.ts';
import { unfold } from './encoded-words.ts';
import { decodeText, rawForm, withoutComments } from './header-forms.ts';
import type { Part } from './message.ts';
import { parseParameterized } from './parameters.ts';
import { sizeCounter, type SizeCounter } from './transfer-encoding.ts';

const LF = 0x0a;
const CR = 0x0d;

/** Bytes of one text part that the preview may look at, in their transfer encoding. */
const MAX_SAMPLE_BYTES = 8 * 1024;
/** Longer names, ids and such are cut: the log keeps them for ever. */
const MAX_TEXT_CHARS = 255;
/** An address on the web. */
const MAX_LOCATION_CHARS = 1_000;
const MAX_LANGUAGES = 20;

type Start = {
  /** Where its headers begin. */
  offset: number;
  /** Its place in its parent, its parent's in turn … ; [] for the message itself. */
  path: number[];
  /** Its parent is a multipart/digest: what says nothing is message/rfc822 (RFC 2046 section 5.1.5). */
  isDigest: boolean;
  /** What may still be kept of the text parts of the whole message. */
  samples: { leftBytes: number };
};

export class PartBuilder {
  /** Header bytes of one part beyond this are passed over. */
  static readonly MAX_HEADER_BYTES = 512 * 1024;

  readonly #start: Start;
  readonly #children: PartBuilder[] = [];
  #header: Uint8Array[] = [];
  #headerBytes = 0;
  #bodyOffset: number;
  #end = 0;
  #counter: SizeCounter = sizeCounter('7bit');
  #lines = 0;
  #endsInLine = false;
  #closed = false;
  #sizeBytes = 0;
  /** A line break that belongs to the next boundary, if one comes (RFC 2046 section 5.1.1). */
  #pending: Uint8Array = new Uint8Array();
  #sample: Uint8Array[] | undefined;
  #sampleBytes = 0;
  #content = describe([], false);
  inHeaders = true;
  /** The line between the parts of a multipart that is open; empty for a leaf and after the closing one. */
  delimiter = '';
  closeDelimiter = '';

  constructor(start: Start) {
    this.#start = start;
    this.#bodyOffset = start.offset;
  }

  /** The bytes of its headers, without the empty line. */
  get headerBlock(): Uint8Array {
    return this.#header.length === 1 && this.#header[0] ? this.#header[0] : Buffer.concat(this.#header);
  }

  /** Takes lines that are no boundary, or a piece of one. */
  take(bytes: Uint8Array): void {
    if (this.inHeaders) {
      if (this.#headerBytes + bytes.length <= PartBuilder.MAX_HEADER_BYTES) this.#header.push(bytes.slice());
      this.#headerBytes += bytes.length;
      return;
    }
    // What comes before the first boundary and after the last one of a multipart belongs to no part.
    if (this.#content.isMultipart) return;
    // The two bytes of one line break may come in two pieces.
    const split = this.#pending.length === 1 && this.#pending[0] === CR && bytes[0] === LF;
    if (!split) this.#count(this.#pending);
    const whole = split ? Buffer.concat([this.#pending, bytes]) : bytes;
    const breakBytes = lineBreakBytes(whole);
    this.#pending = whole.slice(whole.length - breakBytes);
    this.#count(whole.subarray(0, whole.length - breakBytes));
    this.#endsInLine = bytes[bytes.length - 1] !== LF;
    this.#lines += countLines(bytes);
  }

  /**
   * @param offset where the body begins
   * @param mayNest false: a multipart is read as one leaf
   */
  endHeaders(offset: number, mayNest: boolean): void {
    this.inHeaders = false;
    this.#bodyOffset = offset;
    this.#content = describe(splitHeaders(this.headerBlock), this.#start.isDigest);
    if (this.#content.isMultipart && mayNest) {
      this.delimiter = `--${this.#content.boundary}`;
      this.closeDelimiter = `${this.delimiter}--`;
    } else if (this.#content.isMultipart)
      this.#content = { ...this.#content, isMultipart: false, type: OPAQUE };
    this.#counter = sizeCounter(this.#content.encoding);
    const { type } = this.#content;
    if (type === 'text/plain' || type === 'text/html') this.#sample = [];
    if (this.#start.path.length > 0) this.#header = [];
  }

  startChild(offset: number): PartBuilder {
    const path = [...this.#start.path, this.#children.length + 1];
    const isDigest = this.#content.type === 'multipart/digest';
    const child = new PartBuilder({ offset, path, isDigest, samples: this.#start.samples });
    this.#children.push(child);
    return child;
  }

  /** A boundary of this multipart begins at `offset`. */
  endChild(offset: number): void {
    this.#children.at(-1)?.close(offset);
  }

  /** The closing boundary has come: what follows belongs to no part. */
  endChildren(): void {
    this.delimiter = '';
    this.closeDelimiter = '';
  }

  /** The part ends before the boundary at `offset`, or with the message. May be called twice. */
  close(offset: number): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.inHeaders) this.endHeaders(offset, false);
    const isRoot = this.#start.path.length === 0;
    // The message's own last line break is its own; another part's belongs to the boundary.
    if (isRoot) {
      this.#count(this.#pending);
      this.#end = offset;
    } else
      this.#end = Math.max(this.#bodyOffset, offset - (this.#content.isMultipart ? 0 : this.#pending.length));
    this.#sizeBytes = this.#counter.end();
    if (this.#endsInLine) this.#lines++;
  }

  build(): Part {
    const { path } = this.#start;
    const content = this.#content;
    const bodyBytes = Math.max(0, this.#end - this.#bodyOffset);
    return {
      partId: content.isMultipart ? null : path.length === 0 ? '1' : path.join('.'),
      headerOffset: this.#start.offset,
      headerBytes: this.#bodyOffset - this.#start.offset,
      bodyOffset: this.#bodyOffset,
      bodyBytes,
      sizeBytes: content.isMultipart ? bodyBytes : this.#sizeBytes,
      lines: this.#lines,
      type: content.type,
      charset: content.charset,
      encoding: content.encoding,
      disposition: content.disposition,
      name: content.name,
      cid: content.cid,
      language: content.language,
      location: content.location,
      subParts: this.#children.map((child) => child.build()),
    };
  }

  /** The first bytes of a text part below this one, in its transfer encoding; undefined for any other. */
  sampleOf(part: Part): Uint8Array | undefined {
    if (part.headerOffset === this.#start.offset && part.bodyOffset === this.#bodyOffset && this.#sample) {
      return Buffer.concat(this.#sample);
    }
    for (const child of this.#children) {
      const found = child.sampleOf(part);
      if (found) return found;
    }
    return undefined;
  }

  #count(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#counter.push(bytes);
    const { samples } = this.#start;
    const room = Math.min(MAX_SAMPLE_BYTES - this.#sampleBytes, samples.leftBytes);
    if (!this.#sample || room <= 0) return;
    const kept = bytes.slice(0, room);
    this.#sample.push(kept);
    this.#sampleBytes += kept.length;
    samples.leftBytes -= kept.length;
  }
}

const OPAQUE = 'application/octet-stream';

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === LF) count++;
  return count;
}

/** How many of the last bytes are a line break, or may begin one. */
function lineBreakBytes(bytes: Uint8Array): number {
  const last = bytes[bytes.length - 1];
  if (last === CR) return 1;
  if (last !== LF) return 0;
  if (bytes.length > 1) return bytes[bytes.length - 2] === CR ? 2 : 1;
  return 1;
}

type Content = {
  type: string;
  isMultipart: boolean;
  boundary: string | undefined;
  charset: string | null;
  encoding: string;
  disposition: string | null;
  name: string | null;
  cid: string | null;
  language: string[] | null;
  location: string | null;
};

/** RFC 6838 section 4.2: at most 127 characters a name. */
const TYPE = /^[a-z0-9!#$&^_.+-]{1,127}\/[a-z0-9!#$&^_.+-]{1,127}$/;

function describe(fields: HeaderField[], isDigest: boolean): Content {
  const field = (name: string): Uint8Array | undefined => lastField(fields, name);
  const raw = field('content-type');
  const parsed = raw ? parseParameterized(raw) : undefined;
  const fallback = isDigest ? 'message/rfc822' : 'text/plain';
  const named = parsed && TYPE.test(parsed.value) ? parsed.value : fallback;
  const boundary = parsed?.parameters.get('boundary');
  const isMultipart = named.startsWith('multipart/') && Boolean(boundary);
  // A multipart that names no boundary can't be taken apart: people want to read it.
  const type = named.startsWith('multipart/') && !isMultipart ? 'text/plain' : named;
  const dispositionRaw = field('content-disposition');
  const disposition = dispositionRaw ? parseParameterized(dispositionRaw) : undefined;
  const text = (name: string): string | null => {
    const value = field(name);
    return value ? decodeText(value) || null : null;
  };
  const cut = (value: string | null | undefined, chars = MAX_TEXT_CHARS): string | null =>
    value?.slice(0, chars) || null;
  const language = text('content-language');
  return {
    type,
    isMultipart,
    boundary: isMultipart ? boundary?.trimEnd() : undefined,
    charset: cut(parsed?.parameters.get('charset')?.trim()) ?? (type.startsWith('text/') ? 'us-ascii' : null),
    encoding: encodingOf(field('content-transfer-encoding'), isMultipart),
    disposition: cut(disposition?.value),
    name: fileName(disposition?.parameters.get('filename') ?? parsed?.parameters.get('name')),
    cid: cut(text('content-id')?.replace(/^<|>$/g, '')),
    language: language
      ? language
          .split(',')
          .slice(0, MAX_LANGUAGES)
          .map((tag) => tag.trim().slice(0, MAX_TEXT_CHARS))
          .filter(Boolean)
      : null,
    location: cut(text('content-location')?.replace(/\s+/g, ''), MAX_LOCATION_CHARS),
  };
}

function encodingOf(raw: Uint8Array | undefined, isMultipart: boolean): string {
  if (!raw || isMultipart) return '7bit';
  const [token = ''] = withoutComments(unfold(rawForm(raw)))
    .trim()
    .toLowerCase()
    .split(/[;\s]/, 1);
  return token.slice(0, MAX_TEXT_CHARS) || '7bit';
}

/** Without folders and controls: a name is only a proposal of the sender. */
function fileName(name: string | undefined): string | null {
  if (!name) return null;
  const bare = name
    .replace(/^.*[/\\]/s, '')
    .replace(/\p{Cc}+/gu, ' ')
    .trim();
  return bare.slice(-MAX_TEXT_CHARS) || null;
}
