// Address lists: RFC 5322 section 3.4 with groups, comments, quoted strings and the obsolete forms, RFC 6854 (groups in
// From), RFC 6532 (UTF-8). Tolerant: what can't be read as an address is left out, never an error.
import { decodeUnlabelled } from './charset.ts';
import { decodeWords, unfold } from './encoded-words.ts';
import type { EmailAddress } from './message.ts';

/** RFC 8621 section 4.1.2.4; a list outside of any group has name null. */
export type AddressGroup = { name: string | null; addresses: EmailAddress[] };

/** Addresses of one header beyond this are passed over. */
const MAX_ADDRESSES = 5_000;
/** So are words, for headers that hold no addresses at all. */
const MAX_TOKENS = 50_000;

type Token = { kind: 'word' | 'quoted' | 'comment' | 'special'; text: string; spaceBefore: boolean };

/** RFC 8621 section 4.1.2.3: as GroupedAddresses, with the groups dissolved. */
export function parseAddresses(raw: Uint8Array): EmailAddress[] {
  return parseGroupedAddresses(raw).flatMap((group) => group.addresses);
}

export function parseGroupedAddresses(raw: Uint8Array): AddressGroup[] {
  const groups: AddressGroup[] = [];
  let open: AddressGroup = { name: null, addresses: [] };
  let pending: Token[] = [];
  let count = 0;
  const endAddress = (): void => {
    const address = count < MAX_ADDRESSES ? addressOf(pending) : undefined;
    if (address) {
      open.addresses.push(address);
      count++;
    }
    pending = [];
  };
  const endGroup = (): void => {
    endAddress();
    if (open.name !== null || open.addresses.length > 0) groups.push(open);
    open = { name: null, addresses: [] };
  };
  let angle = false;
  let tokens = 0;
  for (const token of tokenize(unfold(decodeUnlabelled(raw)))) {
    if (++tokens > MAX_TOKENS) break;
    if (token.kind === 'special') {
      if (token.text === '<') angle = true;
      else if (token.text === '>') angle = false;
      else if (token.text === ',' && !angle) {
        endAddress();
        continue;
      } else if (token.text === ';' && !angle) {
        endGroup();
        continue;
      } else if (token.text === ':' && !angle && open.name === null && pending.length > 0) {
        const name = phrase(pending);
        pending = [];
        endGroup();
        open = { name, addresses: [] };
        continue;
      }
    }
    pending.push(token);
  }
  endGroup();
  return groups;
}

function addressOf(tokens: Token[]): EmailAddress | undefined {
  const opening = tokens.findIndex((token) => token.kind === 'special' && token.text === '<');
  if (opening !== -1) {
    const closing = tokens.findIndex(
      (token, i) => i > opening && token.kind === 'special' && token.text === '>',
    );
    const inside = tokens.slice(opening + 1, closing === -1 ? undefined : closing);
    // An obsolete route, `@a,@b:user@c`, ends in a colon.
    const colon = inside.findLastIndex((token) => token.kind === 'special' && token.text === ':');
    const email = addrSpec(inside.slice(colon + 1));
    if (!email) return undefined;
    return { name: phrase(tokens.slice(0, opening)) || null, email };
  }
  const email = addrSpec(tokens);
  if (!email) return undefined;
  // The old way to give a name: `user@host (Name)`.
  const comment = tokens.find((token) => token.kind === 'comment');
  return { name: comment ? clean(decodeWords(comment.text)) || null : null, email };
}

function addrSpec(tokens: Token[]): string {
  let text = '';
  for (const token of tokens) {
    if (token.kind === 'comment') continue;
    text += token.kind === 'quoted' ? quoteIfNeeded(token.text) : token.text;
  }
  return clean(text);
}

function quoteIfNeeded(text: string): string {
  return /^[^\s()<>@,;:\\".[\]]+(?:\.[^\s()<>@,;:\\".[\]]+)*$/.test(text)
    ? text
    : `"${text.replace(/["\\]/g, String.raw`\$&`)}"`;
}

/** A display name: words with the spaces between them, comments left out unless there is nothing else. */
function phrase(tokens: Token[]): string {
  let text = '';
  for (const token of tokens) {
    if (token.kind === 'comment') continue;
    if (token.spaceBefore && text) text += ' ';
    text += token.text;
  }
  if (!text.trim()) text = tokens.find((token) => token.kind === 'comment')?.text ?? '';
  return clean(decodeWords(text));
}

function clean(text: string): string {
  return text.replace(/\s+/g, ' ').trim().normalize('NFC');
}

const SPECIALS = new Set(['<', '>', ',', ';', ':']);

function* tokenize(text: string): Generator<Token> {
  let i = 0;
  let spaceBefore = false;
  while (i < text.length) {
    const char = text.charAt(i);
    if (char === ' ' || char === '\t') {
      spaceBefore = true;
      i++;
      continue;
    }
    let kind: Token['kind'];
    let content: string;
    if (char === '"') [content, i, kind] = [...readQuoted(text, i), 'quoted'];
    else if (char === '(') [content, i, kind] = [...readComment(text, i), 'comment'];
    else if (SPECIALS.has(char)) [content, i, kind] = [char, i + 1, 'special'];
    else [content, i, kind] = [...readWord(text, i), 'word'];
    yield { kind, text: content, spaceBefore };
    spaceBefore = false;
  }
}

/** Of a domain literal. Without a bound, a header of brackets would be searched to its end for each of them. */
const MAX_LITERAL_CHARS = 256;

function readWord(text: string, start: number): [string, number] {
  let end = start;
  while (end < text.length && !/[\s"(<>,;:]/.test(text.charAt(end))) {
    // A domain literal may hold colons: [IPv6:::1].
    if (text.charAt(end) === '[') {
      const close = text.slice(end, end + MAX_LITERAL_CHARS).indexOf(']');
      if (close !== -1) end += close;
    }
    end++;
  }
  return [text.slice(start, end), Math.max(end, start + 1)];
}

function readQuoted(text: string, start: number): [string, number] {
  let content = '';
  let i = start + 1;
  while (i < text.length && text.charAt(i) !== '"') {
    if (text.charAt(i) === '\\') i++;
    content += text.charAt(i);
    i++;
  }
  return [content, i + 1];
}

function readComment(text: string, start: number): [string, number] {
  let content = '';
  let depth = 1;
  let i = start + 1;
  while (i < text.length) {
    const char = text.charAt(i);
    if (char === '\\') {
      content += text.charAt(i + 1);
      i += 2;
      continue;
    }
    if (char === '(') depth++;
    if (char === ')' && --depth === 0) break;
    content += char;
    i++;
  }
  return [content, i + 1];
}
