// What an action of a log says, for people and for programs. Hashes of passwords are never shown.
import { emailId, mailboxId, ordinal, threadId } from '../../workloads/app-server/image/ids.ts';
import type { Action, MessageAdded } from '../../workloads/app-server/log/actions.ts';
import { formatBytes } from '../times.ts';

/** Where an action stands. */
export type Place = { seq: number; index: number };

/** What ids of the log stand for, as far as it is known. */
export type Names = {
  mailbox(id: string): Promise<string | undefined>;
  subject(emailId: string): Promise<string | undefined>;
};

const MAX_SUBJECT_LENGTH = 60;

/** One line, without the place: `"hello" moved to Archive`. */
export async function describeAction(action: Action, at: Place, names: Names): Promise<string> {
  const mailbox = async (id: string): Promise<string> => printable((await names.mailbox(id)) ?? id);
  const mailboxes = async (ids: readonly string[]): Promise<string> =>
    (await Promise.all(ids.map(mailbox))).join(', ') || 'no mailbox';
  const email = async (id: string): Promise<string> => {
    const subject = await names.subject(id);
    return subject === undefined ? `message ${id}` : `${quoted(subject)} (${id})`;
  };
  switch (action.type) {
    case 'userCreated':
      return `user ${action.userId} made, ${printable(action.displayName)}: ${action.addresses.map(printable).join(', ')}`;
    case 'credentialsSet':
      return 'password set';
    case 'privacySet': {
      const blocks = action.blockedAddresses.length + action.blockedDomains.length;
      return `${action.reach} may reach the user, ${blocks} blocked, ${action.mutedSenders.length + action.mutedThreads.length} muted`;
    }
    case 'inboxSeen':
      return 'the user looked at the inbox';
    case 'friendAdded':
      return `user ${action.userId} is a friend`;
    case 'friendRemoved':
      return `user ${action.userId} is no friend any more`;
    case 'addressAssigned':
      return `address given to user ${action.userId}`;
    case 'addressMoved':
      return `address taken from user ${action.from} and given to user ${action.userId}`;
    case 'addressReleased':
      return `address taken from user ${action.userId}`;
    case 'addressesChanged':
      return `addresses are now ${action.addresses.map(printable).join(', ') || 'none'}`;
    case 'moved':
      return `moved to cell ${printable(action.toCell)}`;
    case 'mailboxCreated': {
      const below = action.parentId === '' ? '' : ` below ${await mailbox(action.parentId)}`;
      const role = action.role === '' ? '' : `, the ${printable(action.role)}`;
      const again = action.restoredFrom ? `, restored from ${action.restoredFrom}` : '';
      return `mailbox ${printable(action.name)} (${mailboxId(ordinal(at))}) made${below}${role}${again}`;
    }
    case 'mailboxUpdated': {
      const changes = [
        action.name !== undefined && `renamed to ${printable(action.name)}`,
        action.parentId !== undefined &&
          (action.parentId === '' ? 'moved to the top' : `moved below ${await mailbox(action.parentId)}`),
        action.role !== undefined &&
          (action.role === '' ? 'without role' : `now the ${printable(action.role)}`),
        action.sortOrder !== undefined && `sort order ${action.sortOrder}`,
        action.isSubscribed !== undefined && (action.isSubscribed ? 'subscribed' : 'unsubscribed'),
      ].filter((change) => change !== false);
      return `mailbox ${await mailbox(action.mailboxId)} (${action.mailboxId}): ${changes.join(', ')}`;
    }
    case 'mailboxDestroyed':
      return `mailbox ${await mailbox(action.mailboxId)} (${action.mailboxId}) destroyed`;
    case 'messageAdded': {
      const { subject } = action.message.headers;
      const what = action.restoredFrom ? `restored from ${action.restoredFrom}` : 'added';
      const request = action.requestId ? `, request ${printable(action.requestId)}` : '';
      const keywords = action.keywords.length > 0 ? `, ${action.keywords.map(printable).join(' ')}` : '';
      const unsure = action.isUnsure ? ', filed unsure' : '';
      return `${quoted(subject ?? '')} (${emailId(ordinal(at))}) from ${sender(action)} ${what} to ${await mailboxes(action.mailboxIds)}, ${formatBytes(action.sizeBytes)}${keywords}${unsure}${request}`;
    }
    case 'messageKeywordsChanged':
      return `${await email(action.emailId)} has keywords ${action.keywords.map(printable).join(' ') || 'none'}`;
    case 'messageMailboxesChanged':
      return `${await email(action.emailId)} moved to ${await mailboxes(action.mailboxIds)}`;
    case 'messageRefiled':
      return action.mailboxIds.length === 0
        ? `${await email(action.emailId)} stays: its sender is known now`
        : `${await email(action.emailId)} refiled to ${await mailboxes(action.mailboxIds)}: its sender is known now`;
    case 'correspondentsAdded':
      return `wrote to ${action.addresses.map(printable).join(', ')}`;
    case 'senderFiled': {
      const why = action.emailId === '' ? '' : `, learned from the move of ${await email(action.emailId)}`;
      const where = action.folder === '' ? 'nowhere in particular' : `to ${action.folder}`;
      return `mail from ${printable(action.address)} goes ${where}${why}`;
    }
    case 'filingRulesSet':
      return `${action.rules.length} rules set: ${action.rules.map(({ name }) => quoted(name)).join(', ') || 'none'}`;
    case 'messageDestroyed':
      return `${await email(action.emailId)} destroyed`;
  }
}

/** The same as an object: what is stored, with ids, without what is secret and without a message's structure. */
export async function actionToJson(
  action: Action,
  at: Place,
  names: Names,
): Promise<Record<string, unknown>> {
  switch (action.type) {
    case 'credentialsSet':
      return { type: action.type };
    case 'mailboxCreated':
      return { ...action, mailboxId: mailboxId(ordinal(at)) };
    case 'messageAdded': {
      const { message, ...rest } = action;
      const { subject, from, to, sentAt, messageId } = message.headers;
      return {
        ...rest,
        emailId: emailId(ordinal(at)),
        threadId: action.threadId === '' ? threadId(ordinal(at)) : action.threadId,
        mailboxes: await Promise.all(action.mailboxIds.map((id) => names.mailbox(id))),
        headers: { subject, from, to, sentAt, messageId },
        hasAttachment: message.hasAttachment,
      };
    }
    case 'messageKeywordsChanged':
    case 'messageDestroyed':
      return { ...action, subject: await names.subject(action.emailId) };
    case 'messageMailboxesChanged':
    case 'messageRefiled':
      return {
        ...action,
        subject: await names.subject(action.emailId),
        mailboxes: await Promise.all(action.mailboxIds.map((id) => names.mailbox(id))),
      };
    default:
      return action;
  }
}

function sender({ message, envelope }: MessageAdded): string {
  const [first] = message.headers.from ?? [];
  return printable(first?.email ?? (envelope.mailFrom || 'nobody'));
}

function quoted(subject: string): string {
  const characters = [...printable(subject)];
  if (characters.length <= MAX_SUBJECT_LENGTH) return `"${characters.join('')}"`;
  return `"${characters.slice(0, MAX_SUBJECT_LENGTH).join('')}…"`;
}

/** What strangers wrote must not move the cursor, colour the terminal or turn the line round. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu, '\uFFFD');
}
