// A message arrives: exactly once, whatever is repeated.
import { findDelivery } from '../image/deliveries.ts';
import { emailId, ordinal, stateString, threadId } from '../image/ids.ts';
import { asUser } from '../image/model.ts';
import { MAX_TIME_MS } from '../image/record-keys.ts';
import { together } from '../image/pages/page.ts';
import { findThread, threadKeys } from '../image/threading.ts';
import type { Channel, Envelope } from '../log/actions.ts';
import type { Authentication } from '../../common/mail-auth/authentication.ts';
import type { ParsedMessage } from '../../common/mime/message.ts';
import { chooseFolder, folderOf } from './folders.ts';
import type { Tx } from './users.ts';

export type Delivery = {
  deliveryKey: string;
  receivedAtMs: number;
  envelope: Envelope;
  channel: Channel;
  message: ParsedMessage;
  /** What is known of who sent it; undefined when nobody looked. */
  authentication?: Authentication | undefined;
  /** Authentication or policy says that it belongs into Junk. */
  junk?: boolean;
  sizeBytes: number;
  /** The bytes themselves, or the blob that holds them. */
  body: { kind: 'bytes'; bytes: Uint8Array } | { kind: 'blob'; sha256: string };
};

export type Delivered = { emailId: string; duplicate: boolean; newState: string };

/** Emails that one user may have; beyond it deliveries are refused for good (SMTP 552). */
const MAX_EMAILS = 2_000_000;

/** @returns 'noUser' when the log holds no user; 'overQuota' */
export function deliver(tx: Tx, delivery: Delivery): Delivered | 'noUser' | 'overQuota' {
  const image = asUser(tx.state);
  if (!image) return 'noUser';
  const keys = threadKeys(delivery.message.headers);
  const [before, thread] = together([
    () => findDelivery(image, delivery.deliveryKey),
    () => findThread(image, keys),
  ]);
  if (before !== undefined)
    return { emailId: emailId(before), duplicate: true, newState: stateString(image.emailsChangedAt) };
  if (image.emails.size >= MAX_EMAILS) return 'overQuota';
  const folder = chooseFolder({ junk: delivery.junk ?? false });
  const { body } = delivery;
  const at = tx.add({
    type: 'messageAdded',
    mailboxIds: [folderOf(tx, folder)],
    keywords: [],
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
    threadId: thread === undefined ? '' : threadId(thread),
  });
  return { emailId: emailId(ordinal(at)), duplicate: false, newState: stateString(ordinal(at)) };
}
