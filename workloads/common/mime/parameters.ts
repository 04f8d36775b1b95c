// Values with parameters: Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2231).
import { decodeCharset, decodeUnlabelled } from './charset.ts';
import { decodeWords, unfold } from './encoded-words.ts';

export type ParameterizedValue = {
  /** Lower case, without parameters and comments. */
  value: string;
  /** By lower-case name, decoded. */
  parameters: Map<string, string>;
};

/** More parameters than that are passed over. */
const MAX_PARAMETERS = 100;

export function parseParameterized(raw: Uint8Array): ParameterizedValue {
  const text = unfold(decodeUnlabelled(raw));
  const [head = '', ...rest] = splitOutsideQuotes(text);
  const plain = new Map<string, string>();
  /** By base name: its numbered sections (RFC 2231 section 3), whether each is percent-encoded. */
  const sections = new Map<string, { number: number; text: string; encoded: boolean }[]>();
  for (const part of rest.slice(0, MAX_PARAMETERS)) {
    const equals = part.indexOf('=');
    if (equals < 1) continue;
    const name = part.slice(0, equals).trim().toLowerCase();
    const value = unquote(part.slice(equals + 1).trim());
    const extended = /^([^*]+)(?:\*(\d{1,4}))?(\*)?$/.exec(name);
    if (!name.includes('*') || !extended) {
      if (!plain.has(name)) plain.set(name, decodeWords(value));
      continue;
    }
    const [, base = '', number = '0', star] = extended;
    const list = sections.get(base) ?? [];
    list.push({ number: Number(number), text: value, encoded: star === '*' });
    sections.set(base, list);
  }
  for (const [name, list] of sections) plain.set(name, joinSections(list));
  return { value: head.trim().toLowerCase(), parameters: plain };
}

/** Splits at `;` outside of quoted strings and comments; comments go. */
function splitOutsideQuotes(text: string): string[] {
  const parts: string[] = [];
  let current = '';
  let quoted = false;
  let comment = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '\\' && (quoted || comment > 0)) {
      if (comment === 0) current += char + text.charAt(i + 1);
      i++;
    } else if (quoted) {
      current += char;
      if (char === '"') quoted = false;
    } else if (char === '(') comment++;
    else if (char === ')' && comment > 0) comment--;
    else if (comment > 0) continue;
    else if (char === ';') {
      parts.push(current);
      current = '';
    } else {
      if (char === '"') quoted = true;
      current += char;
    }
  }
  parts.push(current);
  return parts;
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  const end = text.length > 1 && text.endsWith('"') ? -1 : undefined;
  return text.slice(1, end).replace(/\\(.)/gs, '$1');
}

function joinSections(list: { number: number; text: string; encoded: boolean }[]): string {
  const ordered = list.toSorted((a, b) => a.number - b.number);
  let charset: string | null = null;
  const chunks = ordered.map((section, index) => {
    if (!section.encoded) return Buffer.from(section.text, 'utf8');
    let text = section.text;
    if (index === 0) {
      const labelled = /^([^']*)'[^']*'(.*)$/s.exec(text);
      if (labelled) {
        charset = labelled[1] ?? null;
        text = labelled[2] ?? '';
      }
    }
    return percentDecode(text);
  });
  const bytes = Buffer.concat(chunks);
  return charset ? decodeCharset(bytes, charset).text : decodeUnlabelled(bytes);
}

function percentDecode(text: string): Buffer {
  const raw = Buffer.from(text, 'utf8');
  const out = Buffer.alloc(raw.length);
  let size = 0;
  for (let i = 0; i < raw.length; i++) {
    const hex = raw[i] === 0x25 ? raw.toString('latin1', i + 1, i + 3) : '';
    if (/^[0-9a-f]{2}$/i.test(hex)) {
      out[size++] = Number.parseInt(hex, 16);
      i += 2;
    } else out[size++] = raw[i] ?? 0;
  }
  return out.subarray(0, size);
}
