// HTML to text, for previews and searches: what a reader would see, roughly; never shown as HTML.

const ENTITIES: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  ndash: '–',
  mdash: '—',
  hellip: '…',
  copy: '©',
  reg: '®',
  euro: '€',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  bull: '•',
  zwnj: '',
  shy: '',
};

/** Elements whose content is not text; one that is never closed (the text was cut) takes the rest. */
const HIDDEN = new Set(['script', 'style', 'head', 'title', 'template', 'noscript']);

/** One pass, linear in the length of the text whatever it holds. */
export function htmlToText(html: string): string {
  // ASCII alone: the lower case of some letters is longer than they are, and places in both texts must agree.
  const lower = html.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  let text = '';
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    if (open === -1) {
      text += html.slice(at);
      break;
    }
    text += html.slice(at, open);
    if (lower.startsWith('<!--', open)) {
      at = after(lower, '-->', open + 4);
      continue;
    }
    if (!/[a-z/!?]/.test(lower.charAt(open + 1))) {
      text += '<';
      at = open + 1;
      continue;
    }
    at = after(lower, '>', open + 1);
    const name = /^[a-z0-9]+/.exec(lower.slice(open + 1, open + 32))?.[0] ?? '';
    if (HIDDEN.has(name)) at = after(lower, '>', Math.max(at, lower.indexOf(`</${name}`, at)), `</${name}`);
    text += ' ';
  }
  return decodeEntities(text).replace(/\s+/g, ' ').trim();
}

/** The place after the next `end`, or the end of the text. With `close`, the text must hold that from `from` on. */
function after(text: string, end: string, from: number, close?: string): number {
  if (close && text.indexOf(close, from) === -1) return text.length;
  const found = text.indexOf(end, from);
  return found === -1 ? text.length : found + end.length;
}

function decodeEntities(text: string): string {
  return text.replace(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{2,8});/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
      ? String.fromCodePoint(code)
      : ' ';
  });
}
