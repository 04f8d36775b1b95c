// What a query must know of messages themselves: whether conditions on their text hold, and what they sort by.
import { searchableText } from '../../common/mime/body-value.ts';
import { selectBodies } from '../../common/mime/bodies.ts';
import { splitHeaders } from '../../common/mime/header-fields.ts';
import { decodeText } from '../../common/mime/header-forms.ts';
import type { EmailAddress } from '../../common/mime/message.ts';
import type { Ordinal } from '../image/ids.ts';
import type { MessageBytes } from '../image/message-reader.ts';
import { inParallel } from '../../common/parallel.ts';
import { baseSubject } from '../image/threading.ts';
import type { MessageAdded } from '../log/actions.ts';
import type { Call } from './call.ts';
import { needsBody, type EmailCondition } from './email-filter.ts';
import { collate, type Comparator, type SortKey } from './sort.ts';

export type Content = { conditions: boolean[]; sortKeys: SortKey[] };

/** Messages whose entries are read at once, and those whose bytes are. */
const BATCH = 256;
const PARALLEL_READS = 8;
/** Of each text part, so much is searched. */
const MAX_SEARCHED_BYTES = 1024 * 1024;

/** Reads these messages and notes what they tell. */
export async function learnContent(
  call: Call,
  ids: readonly Ordinal[],
  conditions: readonly EmailCondition[],
  sort: readonly Comparator[],
  learnt: Map<Ordinal, Content>,
): Promise<void> {
  const { messages } = call.services;
  for (let start = 0; start < ids.length; start += BATCH) {
    const loaded = [...(await messages.load(call.key, ids.slice(start, start + BATCH)))];
    await inParallel(loaded, PARALLEL_READS, async ([id, message]) => {
      const texts = await readTexts(message, messages.open(call.key, id, message), conditions);
      learnt.set(id, {
        conditions: conditions.map((condition) => holds(condition, texts)),
        sortKeys: sort.map((comparator) => sortKey(message, comparator)),
      });
    });
  }
}

/** The searched texts of a message, as they are compared. */
type Texts = {
  from: string;
  to: string;
  cc: string;
  bcc: string;
  subject: string;
  body: string;
  headers: { name: string; value: string }[];
};

async function readTexts(
  message: MessageAdded,
  bytes: MessageBytes,
  conditions: readonly EmailCondition[],
): Promise<Texts> {
  const { headers, headerBytes, structure } = message.message;
  const texts: Texts = {
    from: addressText(headers.from),
    to: addressText(headers.to),
    cc: addressText(headers.cc),
    bcc: addressText(headers.bcc),
    subject: fold(headers.subject ?? ''),
    body: '',
    headers: [],
  };
  if (conditions.some(({ header }) => header !== undefined))
    texts.headers = splitHeaders(await bytes({ offset: 0, length: headerBytes })).map(({ name, value }) => ({
      name: name.toLowerCase(),
      value: fold(decodeText(value)),
    }));
  if (conditions.some(needsBody)) {
    const { text, html } = selectBodies(structure);
    for (const part of new Set([...text, ...html])) {
      if (!part.type.startsWith('text/')) continue;
      const length = Math.min(part.bodyBytes, MAX_SEARCHED_BYTES);
      const body = await bytes({ offset: part.bodyOffset, length });
      texts.body += `${fold(searchableText(part, body))}\n`;
    }
  }
  return texts;
}

function fold(text: string): string {
  return collate(text, undefined);
}

function addressText(addresses: readonly EmailAddress[] | null): string {
  return fold((addresses ?? []).map(({ name, email }) => `${name ?? ''} <${email}>`).join('\n'));
}

/** Every word is somewhere in the text; words in quotes stand together (RFC 8621 section 4.4.1). */
function contains(text: string, searched: string): boolean {
  const words = Array.from(searched.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g), (match) =>
    fold(match[1] ?? match[2] ?? match[3] ?? ''),
  );
  return words.every((word) => text.includes(word));
}

function holds(condition: EmailCondition, texts: Texts): boolean {
  for (const name of ['from', 'to', 'cc', 'bcc', 'subject', 'body'] as const) {
    const searched = condition[name];
    if (searched !== undefined && !contains(texts[name], searched)) return false;
  }
  const { text, header } = condition;
  if (text !== undefined) {
    const { from, to, cc, bcc, subject, body } = texts;
    if (!contains([from, to, cc, bcc, subject, body].join('\n'), text)) return false;
  }
  if (!header) return true;
  const [name = '', value = ''] = header;
  return texts.headers.some(
    (field) => field.name === name.toLowerCase() && field.value.includes(fold(value)),
  );
}

function sortKey({ message, receivedAtMs }: MessageAdded, { property, collation }: Comparator): SortKey {
  const { from, to, subject, sentAt } = message.headers;
  switch (property) {
    case 'from':
      return collate(firstName(from), collation);
    case 'to':
      return collate(firstName(to), collation);
    case 'subject':
      return collate(baseSubject(subject ?? ''), collation);
    case 'sentAt':
      return sentAt === null ? receivedAtMs : Date.parse(sentAt);
    default:
      return '';
  }
}

function firstName(addresses: readonly EmailAddress[] | null): string {
  const first = addresses?.[0];
  return first?.name ?? first?.email ?? '';
}
