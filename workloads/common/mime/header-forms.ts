// The parsed forms of a header's raw value (RFC 8621 section 4.1.2). Raw bytes in, JSON-able values out.
import { decodeUnlabelled } from './charset.ts';
import { unfold } from './encoded-words.ts';

export { parseAddresses, parseGroupedAddresses } from './addresses.ts';
export { decodeText } from './encoded-words.ts';

/** Ids of one header beyond this are passed over. */
const MAX_IDS = 1_000;
/** A line of mail holds no more (RFC 5322 section 2.1.1); it also keeps the pattern from going over megabytes again and again. */
const MAX_BARE_ID_CHARS = 998;

/** The raw form: as it stands, folds and all. */
export function rawForm(value: Uint8Array): string {
  return decodeUnlabelled(value);
}

/** Message ids without their angle brackets; null when there is none (section 4.1.2.5). */
export function parseMessageIds(value: Uint8Array): string[] | null {
  const text = withoutComments(unfold(decodeUnlabelled(value)));
  const ids: string[] = [];
  for (const [, id = ''] of text.matchAll(/<([^<>]+)>/g)) {
    const bare = id.replace(/\s+/g, '');
    if (bare) ids.push(bare);
    if (ids.length === MAX_IDS) break;
  }
  if (ids.length === 0) {
    // Some write them bare.
    const bare = text.trim();
    if (bare.length <= MAX_BARE_ID_CHARS && /^[^\s<>]+@[^\s<>]+$/.test(bare)) ids.push(bare);
  }
  return ids.length > 0 ? ids : null;
}

/** URLs of a List-* header (RFC 2369) without their angle brackets; null when there is none (section 4.1.2.7). */
export function parseUrls(value: Uint8Array): string[] | null {
  const text = withoutComments(unfold(decodeUnlabelled(value)));
  const urls = Array.from(text.matchAll(/<([^<>]*)>/g), ([, url = '']) => url.replace(/\s+/g, '')).filter(
    Boolean,
  );
  return urls.length > 0 ? urls.slice(0, MAX_IDS) : null;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Obsolete names of zones (RFC 5322 section 4.3); any other means that the zone isn't known. */
const ZONES: Record<string, string> = {
  ut: '+00:00',
  gmt: '+00:00',
  z: '+00:00',
  est: '-05:00',
  edt: '-04:00',
  cst: '-06:00',
  cdt: '-05:00',
  mst: '-07:00',
  mdt: '-06:00',
  pst: '-08:00',
  pdt: '-07:00',
};

/** RFC 3339 with the offset that was given; null when this is no date (section 4.1.2.6). */
export function parseDate(value: Uint8Array): string | null {
  const text = withoutComments(unfold(decodeUnlabelled(value)))
    .replace(/\s+/g, ' ')
    .trim();
  const match =
    /^(?:[a-z]{3,9}\.?,? )?(\d{1,2})[ -]([a-z]{3,9})[ -](\d{2,4}),? (\d{1,2}) ?: ?(\d{2})(?: ?: ?(\d{2})(?:\.\d+)?)?(?: ?([+-]\d{4}|[+-]\d{2}:\d{2}|[a-z]{1,5}))?/i.exec(
      text,
    );
  if (!match) return null;
  const [, day = '', monthName = '', yearText = '', hour = '', minute = '', second = '00', zone = ''] = match;
  const month = MONTHS.indexOf(monthName.slice(0, 3).toLowerCase()) + 1;
  const year = fullYear(yearText);
  const date = new Date(Date.UTC(year, month - 1, Number(day)));
  // No month, the 31st of February, a 61st second (a leap second counts as the 60th's end) …
  if (month === 0 || date.getUTCMonth() !== month - 1 || Number(day) === 0) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60 || year > 9999) return null;
  const offset = offsetOf(zone);
  if (!offset) return null;
  const seconds = Math.min(59, Number(second));
  return `${pad(year, 4)}-${pad(month)}-${pad(Number(day))}T${pad(Number(hour))}:${minute}:${pad(seconds)}${offset}`;
}

/** RFC 5322 section 4.3: two digits below 50 mean 20xx, others and three digits count from 1900. */
function fullYear(text: string): number {
  const year = Number(text);
  if (text.length === 2) return year < 50 ? 2000 + year : 1900 + year;
  return text.length === 3 ? 1900 + year : year;
}

function offsetOf(zone: string): string | undefined {
  const digits = zone.replace(':', '');
  if (/^[+-]\d{4}$/.test(digits)) {
    const hours = Number(digits.slice(1, 3));
    const minutes = Number(digits.slice(3));
    return hours <= 23 && minutes <= 59 ? `${digits.slice(0, 3)}:${digits.slice(3)}` : undefined;
  }
  return ZONES[zone.toLowerCase()] ?? '+00:00';
}

function pad(value: number, length = 2): string {
  return String(value).padStart(length, '0');
}

/** Removes comments, nested ones too; quoted strings keep their parentheses. */
export function withoutComments(text: string): string {
  if (!text.includes('(')) return text;
  let result = '';
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '\\') {
      if (depth === 0) result += char + text.charAt(i + 1);
      i++;
    } else if (char === '"' && depth === 0) {
      quoted = !quoted;
      result += char;
    } else if (char === '(' && !quoted) depth++;
    else if (char === ')' && depth > 0) depth--;
    else if (depth === 0) result += char;
  }
  return result;
}
