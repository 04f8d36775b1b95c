// The header section of a message as bytes, field by field: what has to be looked at, or left out, before it is parsed.

const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;

export type Field = { name: string; start: number; end: number };

/** Longer names are none that we look for. */
const MAX_NAME_BYTES = 64;

/**
 * The fields of a header section, in their order; folded lines belong to their field. A line that is no field has the
 * name ''.
 * @param bytes a message, or its beginning
 * @returns and where the header section ends, before its empty line; undefined when it has no end here
 */
export function headerFields(bytes: Uint8Array): { fields: Field[]; end: number | undefined } {
  const fields: Field[] = [];
  for (let start = 0; start < bytes.length;) {
    const lf = bytes.indexOf(LF, start);
    const end = lf === -1 ? bytes.length : lf + 1;
    if (bytes[start] === LF || (bytes[start] === 0x0d && bytes[start + 1] === LF))
      return { fields, end: start };
    const last = fields.at(-1);
    if (last && (bytes[start] === SPACE || bytes[start] === TAB)) last.end = end;
    else fields.push({ name: nameOf(bytes, start, end), start, end });
    start = end;
  }
  return { fields, end: undefined };
}

function nameOf(bytes: Uint8Array, start: number, end: number): string {
  const line = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(end - start, MAX_NAME_BYTES + 1));
  const colon = line.indexOf(':');
  return colon === -1 ? '' : line.toString('latin1', 0, colon).trimEnd().toLowerCase();
}

/** Comments of RFC 5322 section 3.2.2 without what is in them, as they may stand before an authserv-id. */
const COMMENT = /\((?:[^()\\]|\\.)*\)/gs;
/** Comments may be nested; more than so deep is nobody's honest header. */
const MAX_NESTING = 8;
/** An authserv-id stands at the start of its field. */
const MAX_ID_BYTES = 1_024;

/** Does this field say that it is ours (RFC 8601 section 5)? */
export function claimsToBeOurs(bytes: Uint8Array, field: Field, authservId: string): boolean {
  if (field.name !== 'authentication-results') return false;
  const raw = Buffer.from(
    bytes.buffer,
    bytes.byteOffset + field.start,
    Math.min(field.end - field.start, MAX_ID_BYTES),
  );
  let value = raw.toString('latin1').slice(raw.indexOf(':') + 1);
  for (let depth = 0; depth < MAX_NESTING; depth++) value = value.replace(COMMENT, ' ');
  const id = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"/]+))/s.exec(value);
  // One that can't be read can't be told from ours: it goes, too.
  if (!id) return true;
  return (id[1]?.replace(/\\(.)/gs, '$1') ?? id[2] ?? '').toLowerCase() === authservId.toLowerCase();
}
