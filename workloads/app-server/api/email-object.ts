// An email as JMAP's Email object (RFC 8621 section 4.1), as far as it is wanted.
import { selectBodies, type Bodies } from '../../common/mime/bodies.ts';
import { splitHeaders, type HeaderField } from '../../common/mime/header-fields.ts';
import { MAX_SUBJECT_CHARS, MAX_SUMMARY_ITEMS } from '../../common/mime/header-summary.ts';
import type { Part } from '../../common/mime/message.ts';
import { emailId, mailboxId, threadId, type Ordinal } from '../image/ids.ts';
import type { MessageBytes } from '../image/message-reader.ts';
import type { EmailRecord } from '../image/model.ts';
import type { MessageAdded } from '../log/actions.ts';
import { messageBlobId } from './blob-ids.ts';
import { bodyValues, leaves, partObject, type ValueBudget } from './email-parts.ts';
import { SUMMARY_PROPERTIES, type EmailWanted } from './email-properties.ts';
import { headerList, headerValue, parseHeaderProperty } from './header-property.ts';

/** What a client may want of texts (RFC 8621 section 4.2). */
export type FetchOptions = {
  text: boolean;
  html: boolean;
  all: boolean;
  /** 0: no limit. */
  maxBytes: number;
};

/** What the image tells, at the moment of the call: the record itself may change later. */
export function imageProperties(email: EmailRecord): Record<string, unknown> {
  return {
    id: emailId(email.id),
    blobId: messageBlobId(email.id),
    threadId: threadId(email.threadId),
    mailboxIds: Object.fromEntries(email.mailboxIds.map((id) => [mailboxId(id), true])),
    keywords: Object.fromEntries(email.keywords.map((keyword) => [keyword, true])),
    size: email.sizeBytes,
    receivedAt: utcDate(email.receivedAtMs),
    hasAttachment: email.hasAttachment,
  };
}

/** RFC 3339 without fractions when they are zero (RFC 8620 section 1.4). */
function utcDate(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z');
}

const summaryNames = Object.keys(SUMMARY_PROPERTIES) as (keyof typeof SUMMARY_PROPERTIES)[];

/** The log keeps of long headers only the beginning (or the newest ids); such a value is read from the header itself. */
function mayBeCut(value: readonly unknown[] | string | null): boolean {
  return (
    value !== null && value.length >= (typeof value === 'string' ? MAX_SUBJECT_CHARS : MAX_SUMMARY_ITEMS)
  );
}

/** What only the message tells. */
export async function messageProperties(
  email: Ordinal,
  { message }: MessageAdded,
  bytes: MessageBytes,
  { email: wanted, part: partWanted }: EmailWanted,
  fetch: FetchOptions,
  budget: ValueBudget,
): Promise<Record<string, unknown>> {
  const { properties } = wanted;
  const object: Record<string, unknown> = {};
  let fields: HeaderField[] | undefined;
  const readFields = async (): Promise<HeaderField[]> =>
    (fields ??= splitHeaders(await bytes({ offset: 0, length: message.headerBytes })));

  for (const name of summaryNames) {
    if (!properties.has(name)) continue;
    const value = message.headers[name];
    object[name] = mayBeCut(value)
      ? headerValue(await readFields(), parseHeaderProperty(SUMMARY_PROPERTIES[name]))
      : value;
  }
  if (properties.has('preview')) object.preview = message.preview;
  if (properties.has('headers')) object.headers = headerList(await readFields());
  for (const header of wanted.headers) object[header.property] = headerValue(await readFields(), header);
  if (properties.has('bodyStructure'))
    object.bodyStructure = await partObject(email, message.structure, partWanted, bytes, true);
  const bodies = selectBodies(message.structure);
  for (const [name, parts] of bodyLists(bodies))
    if (properties.has(name))
      object[name] = await Promise.all(
        parts.map((part) => partObject(email, part, partWanted, bytes, false)),
      );
  if (properties.has('bodyValues'))
    object.bodyValues = await bodyValues(
      partsToFetch(message.structure, bodies, fetch),
      fetch.maxBytes,
      bytes,
      budget,
    );
  return object;
}

function bodyLists(bodies: Bodies): [name: string, parts: Part[]][] {
  return [
    ['textBody', bodies.text],
    ['htmlBody', bodies.html],
    ['attachments', bodies.attachments],
  ];
}

function partsToFetch(structure: Part, bodies: Bodies, fetch: FetchOptions): Part[] {
  if (fetch.all) return [...leaves(structure)];
  return [...(fetch.text ? bodies.text : []), ...(fetch.html ? bodies.html : [])];
}
