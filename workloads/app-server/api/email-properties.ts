// Which properties of an email a client wants (RFC 8621 sections 4.1 and 4.2), and what must be read for them.
import { MethodError } from './errors.ts';
import { isHeaderProperty, parseHeaderProperty, type HeaderProperty } from './header-property.ts';

const FROM_IMAGE = new Set([
  'id',
  'blobId',
  'threadId',
  'mailboxIds',
  'keywords',
  'size',
  'receivedAt',
  'hasAttachment',
]);
/** The convenience properties (section 4.1.3), each with the header property that it is the same as. */
export const SUMMARY_PROPERTIES = {
  messageId: 'header:Message-ID:asMessageIds',
  inReplyTo: 'header:In-Reply-To:asMessageIds',
  references: 'header:References:asMessageIds',
  sender: 'header:Sender:asAddresses',
  from: 'header:From:asAddresses',
  to: 'header:To:asAddresses',
  cc: 'header:Cc:asAddresses',
  bcc: 'header:Bcc:asAddresses',
  replyTo: 'header:Reply-To:asAddresses',
  subject: 'header:Subject:asText',
  sentAt: 'header:Date:asDate',
} as const;
const BODY_LISTS = ['textBody', 'htmlBody', 'attachments'];
const DEFAULT_PROPERTIES = [
  ...FROM_IMAGE,
  ...Object.keys(SUMMARY_PROPERTIES),
  'preview',
  'bodyValues',
  ...BODY_LISTS,
];
const PROPERTIES = new Set([...DEFAULT_PROPERTIES, 'headers', 'bodyStructure']);

const DEFAULT_PART_PROPERTIES = [
  'partId',
  'blobId',
  'size',
  'name',
  'type',
  'charset',
  'disposition',
  'cid',
  'language',
  'location',
];
const PART_PROPERTIES = new Set([...DEFAULT_PART_PROPERTIES, 'headers', 'subParts']);

export type Wanted = {
  properties: ReadonlySet<string>;
  headers: readonly HeaderProperty[];
};

export type EmailWanted = {
  email: Wanted;
  part: Wanted;
  /** More than the image is needed: the message's entry must be read. */
  needsMessage: boolean;
};

/** @throws MethodError invalidArguments */
export function parseEmailProperties(
  properties: readonly string[] | null | undefined,
  bodyProperties: readonly string[] | null | undefined,
): EmailWanted {
  const email = parse(['id', ...(properties ?? DEFAULT_PROPERTIES)], PROPERTIES);
  const part = parse(bodyProperties ?? DEFAULT_PART_PROPERTIES, PART_PROPERTIES);
  const needsMessage =
    email.headers.length > 0 || [...email.properties].some((name) => !FROM_IMAGE.has(name));
  return { email, part, needsMessage };
}

function parse(names: readonly string[], known: ReadonlySet<string>): Wanted {
  const properties = new Set<string>();
  const headers = new Map<string, HeaderProperty>();
  for (const name of names) {
    if (isHeaderProperty(name)) headers.set(name, parseHeaderProperty(name));
    else if (known.has(name)) properties.add(name);
    else throw new MethodError('invalidArguments', `properties: there is no ${name.slice(0, 250)}.`);
  }
  return { properties, headers: [...headers.values()] };
}
