// A parsed message on the wire and in the log: message.proto.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import type { EmailAddress, HeaderSummary, ParsedMessage, Part } from './message.ts';

/** The source of the schema: a schema that has a Message in it is parsed beside this one. */
export const messageProto = readFileSync(new URL('message.proto', import.meta.url), 'utf8');

type Opt<T> = T | null | undefined;

export type WireMessage = {
  preview?: string;
  hasAttachment?: boolean;
  sizeBytes?: number;
  headerBytes?: number;
  headers?: Opt<WireHeaders>;
  structure?: Opt<WirePart>;
};

type WireAddresses = Opt<{ items?: { name?: Opt<string>; email?: string }[] }>;
type WireTexts = Opt<{ items?: string[] }>;

type WireHeaders = {
  from?: WireAddresses;
  sender?: WireAddresses;
  replyTo?: WireAddresses;
  to?: WireAddresses;
  cc?: WireAddresses;
  bcc?: WireAddresses;
  subject?: Opt<string>;
  sentAt?: Opt<string>;
  messageId?: WireTexts;
  inReplyTo?: WireTexts;
  references?: WireTexts;
  listId?: Opt<string>;
};

type WirePart = {
  partId?: Opt<string>;
  headerOffset?: number;
  headerBytes?: number;
  bodyOffset?: number;
  bodyBytes?: number;
  sizeBytes?: number;
  lines?: number;
  type?: string;
  charset?: Opt<string>;
  encoding?: string;
  disposition?: Opt<string>;
  name?: Opt<string>;
  cid?: Opt<string>;
  language?: WireTexts;
  location?: Opt<string>;
  subParts?: WirePart[];
};

const messageType = protobuf.parse(messageProto).root.lookupType('cellpost.log.Message');

/** A message, encoded. */
export function encodeMessageBytes(message: ParsedMessage): Uint8Array {
  return messageType.encode(encodeMessage(message)).finish();
}

/** @returns undefined when the bytes are no message */
export function decodeMessageBytes(bytes: Uint8Array): ParsedMessage | undefined {
  try {
    return decodeMessage(messageType.toObject(messageType.decode(bytes), { longs: Number }));
  } catch {
    return undefined;
  }
}

/** To the objects that protobufjs makes of message.proto's messages: a field at its default value is missing. */
export function encodeMessage(message: ParsedMessage): WireMessage {
  return {
    preview: message.preview,
    hasAttachment: message.hasAttachment,
    sizeBytes: message.sizeBytes,
    headerBytes: message.headerBytes,
    headers: encodeHeaders(message.headers),
    structure: encodePart(message.structure),
  };
}

export function decodeMessage(wire: WireMessage): ParsedMessage {
  return {
    preview: wire.preview ?? '',
    hasAttachment: wire.hasAttachment ?? false,
    sizeBytes: wire.sizeBytes ?? 0,
    headerBytes: wire.headerBytes ?? 0,
    headers: decodeHeaders(wire.headers ?? {}),
    structure: decodePart(wire.structure ?? {}),
  };
}

function encodeHeaders(headers: HeaderSummary): WireHeaders {
  return {
    from: addresses(headers.from),
    sender: addresses(headers.sender),
    replyTo: addresses(headers.replyTo),
    to: addresses(headers.to),
    cc: addresses(headers.cc),
    bcc: addresses(headers.bcc),
    subject: headers.subject,
    sentAt: headers.sentAt,
    messageId: texts(headers.messageId),
    inReplyTo: texts(headers.inReplyTo),
    references: texts(headers.references),
    listId: headers.listId,
  };
}

function decodeHeaders(wire: WireHeaders): HeaderSummary {
  return {
    from: addressList(wire.from),
    sender: addressList(wire.sender),
    replyTo: addressList(wire.replyTo),
    to: addressList(wire.to),
    cc: addressList(wire.cc),
    bcc: addressList(wire.bcc),
    subject: wire.subject ?? null,
    sentAt: wire.sentAt ?? null,
    messageId: textList(wire.messageId),
    inReplyTo: textList(wire.inReplyTo),
    references: textList(wire.references),
    ...(wire.listId && { listId: wire.listId }),
  };
}

function encodePart(part: Part): WirePart {
  return { ...part, language: texts(part.language), subParts: part.subParts.map(encodePart) };
}

function decodePart(wire: WirePart): Part {
  return {
    partId: wire.partId ?? null,
    headerOffset: wire.headerOffset ?? 0,
    headerBytes: wire.headerBytes ?? 0,
    bodyOffset: wire.bodyOffset ?? 0,
    bodyBytes: wire.bodyBytes ?? 0,
    sizeBytes: wire.sizeBytes ?? 0,
    lines: wire.lines ?? 0,
    type: wire.type ?? '',
    charset: wire.charset ?? null,
    encoding: wire.encoding ?? '',
    disposition: wire.disposition ?? null,
    name: wire.name ?? null,
    cid: wire.cid ?? null,
    language: textList(wire.language),
    location: wire.location ?? null,
    subParts: (wire.subParts ?? []).map(decodePart),
  };
}

function addresses(list: readonly EmailAddress[] | null): WireAddresses {
  return list && { items: [...list] };
}

function addressList(wire: WireAddresses): EmailAddress[] | null {
  return wire
    ? (wire.items ?? []).map(({ name, email }) => ({ name: name ?? null, email: email ?? '' }))
    : null;
}

function texts(list: readonly string[] | null): WireTexts {
  return list && { items: [...list] };
}

function textList(wire: WireTexts): string[] | null {
  return wire ? (wire.items ?? []) : null;
}
