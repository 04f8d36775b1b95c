// The action by which a message comes into a log, to and from its wire form.
import { authenticationOf } from '../../common/mail-auth/authentication.ts';
import { decodeMessage, encodeMessage } from '../../common/mime/message-wire.ts';
import type { BodyRef, Channel, MessageAdded } from './actions.ts';
import { UnreadableEntry } from './entry-codec.ts';
import type { WireMessageAdded } from './entry-wire.ts';

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
    requestId,
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
    ...(action.authentication && { authentication: action.authentication }),
    ...(action.isMuted && { isMuted: true }),
    ...(action.isUnsure && { isUnsure: true }),
    ...(restoredFrom !== undefined && { restoredFrom }),
    ...(requestId !== undefined && { requestId }),
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
    ...(wire.authentication && { authentication: authenticationOf(wire.authentication) }),
    ...(wire.isMuted && { isMuted: true }),
    ...(wire.isUnsure && { isUnsure: true }),
    ...(wire.restoredFrom && { restoredFrom: wire.restoredFrom }),
    ...(wire.requestId && { requestId: wire.requestId }),
  };
}

function decodeBody({ inlineBody, blobBody }: WireMessageAdded): BodyRef {
  if (typeof inlineBody === 'number') return { kind: 'inline', index: inlineBody };
  if (blobBody) return { kind: 'blob', sha256: Buffer.from(blobBody).toString('hex') };
  throw new UnreadableEntry('a message whose body lies at an unknown place');
}
