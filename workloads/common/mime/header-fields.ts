// Header blocks (RFC 5322 section 2.2): fields in order, their values as raw bytes.

export type HeaderField = {
  /** As it is written. */
  name: string;
  /** The bytes after the colon, folds and all, without the line break that ends the field. */
  value: Uint8Array;
};

const COLON = 0x3a;
const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;

/** Splits a header block. Lines that are no fields (no colon, spaces in the name) are passed over with their folds. */
export function splitHeaders(block: Uint8Array): HeaderField[] {
  const fields: HeaderField[] = [];
  let start = 0;
  while (start < block.length) {
    let end = lineEnd(block, start);
    while (end < block.length && (block[end] === SPACE || block[end] === TAB)) end = lineEnd(block, end);
    const field = fieldOf(block.subarray(start, end));
    if (field) fields.push(field);
    start = end;
  }
  return fields;
}

/** The place after the line break of the line that starts at `start`. */
function lineEnd(block: Uint8Array, start: number): number {
  const newline = block.indexOf(LF, start);
  return newline === -1 ? block.length : newline + 1;
}

function fieldOf(line: Uint8Array): HeaderField | undefined {
  const colon = line.indexOf(COLON);
  if (colon < 1) return undefined;
  let nameEnd = colon;
  // Old mail may have white space before the colon (RFC 5322 section 4.5).
  while (nameEnd > 0 && (line[nameEnd - 1] === SPACE || line[nameEnd - 1] === TAB)) nameEnd--;
  if (nameEnd === 0) return undefined;
  for (let i = 0; i < nameEnd; i++) {
    const byte = line[i] ?? 0;
    if (byte <= SPACE || byte > 0x7e) return undefined;
  }
  let valueEnd = line.length;
  if (line[valueEnd - 1] === LF) valueEnd--;
  if (line[valueEnd - 1] === CR) valueEnd--;
  return {
    name: latin1(line.subarray(0, Math.min(nameEnd, MAX_NAME_BYTES))),
    value: line.subarray(colon + 1, Math.max(colon + 1, valueEnd)),
  };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** No field that means something to us has a longer name. */
const MAX_NAME_BYTES = 256;

/** The last field of this name (ASCII case ignored), as RFC 8621 section 4.1.3 takes the last of several. */
export function lastField(fields: readonly HeaderField[], name: string): Uint8Array | undefined {
  const wanted = name.toLowerCase();
  return fields.findLast(
    ({ name: found }) => found.length === wanted.length && found.toLowerCase() === wanted,
  )?.value;
}
