// The action by which a message comes into a log, to and from its wire form.
import type { EmailAddress, HeaderSummary, ParsedMessage, Part } from '../../common/mime/message.ts';
import type { BodyRef, Channel, MessageAdded } from './actions.ts';
import { UnreadableEntry } from './entry-codec.ts';
import type {
  WireAddresses,
  WireHeaders,
  WireMessage,
  WireMessageAdded,
  WirePart,
  WireTexts,
} from './entry-wire.ts';

/** By their numbers in entry.proto. */
const CHANNELS: readonly (Channel | undefined)[] = [undefined, 'email', 'sms', 'chat', 'web'];

export function encodeMessageAdded(action: MessageAdded): WireMessageAdded {
  const {
    mailboxIds,
    keywords,
    receivedAtMs,
    sizeBytes,
    deliveryKey,
    envelope,
    threadId,
    body,
    restoredFrom,
  } = action;
  return {
    mailboxIds,
    keywords,
    receivedAtMs,
    sizeBytes,
    deliveryKey,
    envelope,
    channel: CHANNELS.indexOf(action.channel),
    message: encodeMessage(action.message),
    ...(body.kind === 'inline' ? { inlineBody: body.index } : { blobBody: Buffer.from(body.sha256, 'hex') }),
    threadId,
    ...(restoredFrom !== undefined && { restoredFrom }),
  };
}

/** @throws UnreadableEntry for an unknown channel or place of the body */
export function decodeMessageAdded(wire: WireMessageAdded): MessageAdded {
  const channel = CHANNELS[wire.channel ?? 0];
  if (!channel) throw new UnreadableEntry(`a message of the unknown channel ${wire.channel}`);
  return {
    type: 'messageAdded',
    mailboxIds: wire.mailboxIds ?? [],
    keywords: wire.keywords ?? [],
    receivedAtMs: wire.receivedAtMs ?? 0,
    sizeBytes: wire.sizeBytes ?? 0,
    deliveryKey: wire.deliveryKey ?? '',
    envelope: { mailFrom: wire.envelope?.mailFrom ?? '', rcptTo: wire.envelope?.rcptTo ?? [] },
    channel,
    message: decodeMessage(wire.message ?? {}),
    body: decodeBody(wire),
    threadId: wire.threadId ?? '',
    ...(wire.restoredFrom && { restoredFrom: wire.restoredFrom }),
  };
}

function decodeBody({ inlineBody, blobBody }: WireMessageAdded): BodyRef {
  if (typeof inlineBody === 'number') return { kind: 'inline', index: inlineBody };
  if (blobBody) return { kind: 'blob', sha256: Buffer.from(blobBody).toString('hex') };
  throw new UnreadableEntry('a message whose body lies at an unknown place');
}

function encodeMessage(message: ParsedMessage): WireMessage {
  return {
    preview: message.preview,
    hasAttachment: message.hasAttachment,
    sizeBytes: message.sizeBytes,
    headerBytes: message.headerBytes,
    headers: encodeHeaders(message.headers),
    structure: encodePart(message.structure),
  };
}

function decodeMessage(wire: WireMessage): ParsedMessage {
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
