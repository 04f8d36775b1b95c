// Moving a message teaches: where mail of its sender goes from now on, and whom the user wrote to.
import { normalizeAddress } from '../../common/keys.ts';
import { emailId } from '../image/ids.ts';
import { emailOf } from '../image/email-record.ts';
import type { EmailRecord, OpenUser } from '../image/model.ts';
import type { Folder, MessageAdded } from '../log/actions.ts';
import { noteCorrespondents } from './correspondents.ts';
import { folderKind } from './folders.ts';
import { provenSender } from './sender.ts';
import { userOf, type Tx } from './users.ts';

/**
 * Learns from the move of a message between Inbox, Other and Junk where mail of its sender goes; from one to Sent, whom
 * the user wrote to. A message whose sender isn't proven teaches nothing: it may be anybody's.
 * @param before the email before it was moved
 * @param message as it was delivered
 */
export function learnFromMove(tx: Tx, before: EmailRecord, message: MessageAdded): void {
  const image = userOf(tx);
  const address = normalizeAddress(provenSender(message) ?? '');
  const after = movedTo(tx, before);
  if (address === undefined || after === undefined) return;
  const isOwn = image.user.addresses.includes(address);
  if (isOwn) {
    if (after.some((id) => image.mailboxes.get(id)?.role === 'sent'))
      noteCorrespondents(tx, recipientsOf(message));
    return;
  }
  const [from, to] = [onlyFolder(image, before.mailboxIds), onlyFolder(image, after)];
  if (from === undefined || to === undefined || from === to || image.filing.senders.get(address) === to)
    return;
  tx.add({ type: 'senderFiled', address, folder: to, emailId: emailId(before.id) });
}

function movedTo(tx: Tx, { id, mailboxIds }: EmailRecord): readonly number[] | undefined {
  const now = emailOf(userOf(tx), id)?.mailboxIds;
  return now && String(now) !== String(mailboxIds) ? now : undefined;
}

function onlyFolder(image: OpenUser, mailboxIds: readonly number[]): Folder | undefined {
  const [only, ...others] = mailboxIds;
  return only === undefined || others.length > 0 ? undefined : folderKind(image, only);
}

function recipientsOf({ message: { headers } }: MessageAdded): string[] {
  return [headers.to, headers.cc, headers.bcc].flatMap((list) => (list ?? []).map(({ email }) => email));
}
