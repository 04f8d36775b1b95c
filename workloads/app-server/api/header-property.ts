// Properties of the form `header:Name:asForm:all` (RFC 8621 section 4.1.3).
import type { HeaderField } from '../../common/mime/header-fields.ts';
import {
  decodeText,
  parseAddresses,
  parseDate,
  parseGroupedAddresses,
  parseMessageIds,
  parseUrls,
  rawForm,
} from '../../common/mime/header-forms.ts';
import { MethodError } from './errors.ts';

const FORMS: Record<string, (value: Uint8Array) => unknown> = {
  asRaw: rawForm,
  asText: decodeText,
  asAddresses: parseAddresses,
  asGroupedAddresses: parseGroupedAddresses,
  asMessageIds: parseMessageIds,
  asDate: parseDate,
  asURLs: parseUrls,
};

const ADDRESS_FORMS = ['asAddresses', 'asGroupedAddresses'];

/** The forms of the fields that RFC 5322 and RFC 2369 define; fields of others have all (section 4.1.2). */
const DEFINED = new Map<string, string[]>([
  ...['from', 'sender', 'reply-to', 'to', 'cc', 'bcc'].flatMap((name): [string, string[]][] => [
    [name, ADDRESS_FORMS],
    [`resent-${name}`, ADDRESS_FORMS],
  ]),
  ...['subject', 'comments', 'keywords', 'list-id'].map((name): [string, string[]] => [name, ['asText']]),
  ...['message-id', 'in-reply-to', 'references', 'resent-message-id'].map((name): [string, string[]] => [
    name,
    ['asMessageIds'],
  ]),
  ...['date', 'resent-date'].map((name): [string, string[]] => [name, ['asDate']]),
  ...['help', 'unsubscribe', 'subscribe', 'post', 'owner', 'archive'].map((name): [string, string[]] => [
    `list-${name}`,
    ['asURLs'],
  ]),
  ['return-path', []],
  ['received', []],
]);

export type HeaderProperty = {
  /** As the client wrote it. */
  property: string;
  /** In lower case. */
  name: string;
  form: (value: Uint8Array) => unknown;
  all: boolean;
};

const PROPERTY = /^header:([\u0021-\u0039\u003b-\u007e]{1,200})(?::(as[A-Za-z]{1,20}))?(:all)?$/;

export function isHeaderProperty(property: string): boolean {
  return property.startsWith('header:');
}

/** @throws MethodError invalidArguments for what is no such property, or a form that the field doesn't have */
export function parseHeaderProperty(property: string): HeaderProperty {
  const match = PROPERTY.exec(property);
  const name = match?.[1]?.toLowerCase();
  const formName = match?.[2] ?? 'asRaw';
  const form = Object.hasOwn(FORMS, formName) ? FORMS[formName] : undefined;
  const allowed = DEFINED.get(name ?? '');
  if (!name || !form || (allowed && formName !== 'asRaw' && !allowed.includes(formName)))
    throw new MethodError('invalidArguments', `properties: there is no ${property.slice(0, 250)}.`);
  return { property, name, form, all: match?.[3] !== undefined };
}

/** The property's value: of the last field of the name, or null; or of all of them. */
export function headerValue(fields: readonly HeaderField[], { name, form, all }: HeaderProperty): unknown {
  const named = fields.filter((field) => field.name.toLowerCase() === name);
  if (all) return named.map((field) => form(field.value));
  const last = named.at(-1);
  return last ? form(last.value) : null;
}

/** Every field, raw. */
export function headerList(fields: readonly HeaderField[]): { name: string; value: string }[] {
  return fields.map(({ name, value }) => ({ name, value: rawForm(value) }));
}
