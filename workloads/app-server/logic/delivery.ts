// A message arrives: exactly once, whatever is repeated.
import { findDelivery } from '../image/deliveries.ts';
import { emailId, ordinal, stateString, threadId } from '../image/ids.ts';
import { asUser, type OpenUser } from '../image/model.ts';
import { MAX_TIME_MS } from '../image/record-keys.ts';
import { together } from '../image/pages/page.ts';
import { findThread, threadKeys } from '../image/threading.ts';
import type { Channel, Envelope, Folder } from '../log/actions.ts';
import type { Degree } from '../relations.ts';
import type { Authentication } from '../../common/mail-auth/authentication.ts';
import { normalizeAddress } from '../../common/keys.ts';
import type { ParsedMessage } from '../../common/mime/message.ts';
import { chooseFolder, folderOf } from './folders.ts';
import { isBlocked, isMuted, reachOf, type SenderFacts } from './privacy.ts';
import { isFromCorrespondent } from './correspondents.ts';
import { ownWord } from './filing-rules.ts';
import { fromOf, provenSender } from './sender.ts';
import type { Tx } from './users.ts';

export type Delivery = {
  /** What the request or message is called in the logs. */
  requestId?: string | undefined;
  deliveryKey: string;
  receivedAtMs: number;
  envelope: Envelope;
  /** Is it for an address, by which the user was found, and not for the user by id? */
  isAddressed?: boolean;
  channel: Channel;
  message: ParsedMessage;
  /** What is known of who sent it; undefined when nobody looked. */
  authentication?: Authentication | undefined;
  /** Authentication or policy says that it belongs into Junk. */
  junk?: boolean;
  /** How far the sender and the user are apart; undefined on a platform that knows of no friends. */
  degree?: Degree | undefined;
  sizeBytes: number;
  /** The bytes themselves, or the blob that holds them. */
  body: { kind: 'bytes'; bytes: Uint8Array } | { kind: 'blob'; sha256: string };
};

export type Delivered = { emailId: string; duplicate: boolean; newState: string };

/** Emails that one user may have; beyond it deliveries are refused for good (SMTP 552). */
const MAX_EMAILS = 2_000_000;

export type Refused = 'noUser' | 'notTheirs' | 'overQuota' | 'forbidden';

/** @returns 'noUser' when the log holds no user; 'notTheirs' when the address is not the user's (any more, or yet); 'forbidden' when the user's settings keep the sender out; 'overQuota' */
export function deliver(tx: Tx, delivery: Delivery): Delivered | Refused {
  const image = asUser(tx.state);
  if (!image) return 'noUser';
  const keys = threadKeys(delivery.message.headers);
  const [before, thread] = together([
    () => findDelivery(image, delivery.deliveryKey),
    () => findThread(image, keys),
  ]);
  if (before !== undefined)
    return { emailId: emailId(before), duplicate: true, newState: stateString(image.emailsChangedAt) };
  if (delivery.isAddressed && !hasAddresses(image, delivery.envelope.rcptTo)) return 'notTheirs';
  const isCorrespondent = isFromCorrespondent(image, delivery);
  const sender = { ...senderOf(delivery), isCorrespondent };
  const reach = reachOf(image.privacy, sender);
  if (reach === 'no') return 'forbidden';
  if (image.emails.size >= MAX_EMAILS) return 'overQuota';
  const { mailboxId, folder, keywords, isUnsure } = file(
    image,
    delivery,
    reach === 'unsure',
    isCorrespondent,
  );
  const joined = thread === undefined ? '' : threadId(thread);
  const { body } = delivery;
  const at = tx.add({
    type: 'messageAdded',
    mailboxIds: [mailboxId ?? folderOf(tx, folder)],
    keywords,
    receivedAtMs: Math.min(Math.max(0, delivery.receivedAtMs), MAX_TIME_MS),
    sizeBytes: delivery.sizeBytes,
    deliveryKey: delivery.deliveryKey,
    envelope: delivery.envelope,
    channel: delivery.channel,
    message: delivery.message,
    authentication: delivery.authentication,
    body:
      body.kind === 'blob'
        ? { kind: 'blob', sha256: body.sha256 }
        : { kind: 'inline', index: tx.addBody(body.bytes) },
    threadId: joined,
    isMuted: isMuted(image.privacy, sender, joined),
    requestId: delivery.requestId,
    isUnsure,
  });
  return { emailId: emailId(ordinal(at)), duplicate: false, newState: stateString(ordinal(at)) };
}

function hasAddresses({ user }: OpenUser, asked: readonly string[]): boolean {
  return asked.every((address) => user.addresses.includes(normalizeAddress(address) ?? ''));
}

type Filed = {
  /** Where a rule puts it; else it goes to the folder. */
  mailboxId?: string | undefined;
  folder: Folder;
  keywords: string[];
  /** Would it be in the inbox if the user index said that the sender is a friend? */
  isUnsure: boolean;
};

function file(
  image: OpenUser,
  delivery: Delivery,
  isUnsureOfReach: boolean,
  isCorrespondent: boolean,
): Filed {
  const { junk = false, degree } = delivery;
  if (junk) return { folder: 'junk', keywords: [], isUnsure: false };
  const { mailboxId, folder: chosen, keywords } = ownWord(image, delivery);
  const folder = chooseFolder({ junk, chosen, isCorrespondent, degree, isUnsure: isUnsureOfReach });
  const isByIndex = mailboxId === undefined && chosen === undefined && folder === 'other';
  const isUnsure = isByIndex && degree === 'unknown' && provenSender(delivery) !== undefined;
  return { mailboxId, folder, keywords, isUnsure };
}

function senderOf({ envelope, message, degree = 'unknown' }: Delivery): SenderFacts {
  return { mailFrom: envelope.mailFrom, from: fromOf(message), degree };
}

/** Does what becomes of a message depend on how far its sender and the user are apart? */
export function needsDegree(image: OpenUser, delivery: Delivery): boolean {
  if (isBlocked(image.privacy, senderOf(delivery)) || isFromCorrespondent(image, delivery)) return false;
  if (image.privacy.reach !== 'everyone') return true;
  if (delivery.junk) return false;
  const { mailboxId, folder } = ownWord(image, delivery);
  return mailboxId === undefined && folder === undefined;
}
