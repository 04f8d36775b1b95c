// The codec of log entries: entry.proto on the wire, actions.ts in the program.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { decodeFolder, decodeRule, encodeFolder } from '../image/filing-wire.ts';
import { decodePrivacy, encodePrivacy } from '../image/privacy.ts';
import { authenticationProto } from '../../common/mail-auth/authentication.ts';
import { messageProto } from '../../common/mime/message-wire.ts';
import type { Action } from './actions.ts';
import { UnreadableEntry, type EntryCodec } from './entry-codec.ts';
import { decodeMessageAdded, encodeMessageAdded } from './entry-message.ts';
import type { WireAction, WireEntry } from './entry-wire.ts';

/** What the entries of this version mean. Readers refuse others: passing over what they don't understand loses mail. */
const FORMAT = 1;

const root = protobuf.parse(messageProto).root;
protobuf.parse(authenticationProto, root);
protobuf.parse(readFileSync(new URL('entry.proto', import.meta.url), 'utf8'), root);
const wireType = root.lookupType('cellpost.log.LogEntry');

export const entryCodec: EntryCodec<Action> = {
  encode({ timeMs, writer, actions }) {
    const wire: WireEntry = { format: FORMAT, timeMs, writer, actions: actions.map(encodeAction) };
    return wireType.encode(wire).finish();
  },
  decode(bytes) {
    const wire = decodeWire(bytes);
    if (wire.format !== FORMAT)
      throw new UnreadableEntry(`an entry of format ${wire.format}, which this version does not know`);
    return {
      timeMs: wire.timeMs ?? 0,
      writer: {
        server: wire.writer?.server ?? '',
        session: wire.writer?.session ?? '',
        number: wire.writer?.number ?? 0,
      },
      actions: (wire.actions ?? []).map(decodeAction),
    };
  },
};

function decodeWire(bytes: Uint8Array): WireEntry {
  try {
    return wireType.toObject(wireType.decode(bytes), { longs: Number }) as WireEntry;
  } catch (error) {
    throw new UnreadableEntry('the bytes are no entry', { cause: error });
  }
}

function encodeAction(action: Action): WireAction {
  switch (action.type) {
    case 'userCreated':
      return { userCreated: action };
    case 'credentialsSet':
      return { credentialsSet: action };
    case 'mailboxCreated':
      return { mailboxCreated: action };
    case 'mailboxUpdated':
      return { mailboxUpdated: action };
    case 'mailboxDestroyed':
      return { mailboxDestroyed: action };
    case 'messageAdded':
      return { messageAdded: encodeMessageAdded(action) };
    case 'messageKeywordsChanged':
      return { messageKeywordsChanged: action };
    case 'messageMailboxesChanged':
      return { messageMailboxesChanged: action };
    case 'messageDestroyed':
      return { messageDestroyed: action };
    case 'messageRefiled':
      return { messageRefiled: action };
    case 'correspondentsAdded':
      return { correspondentsAdded: action };
    case 'senderFiled':
      return { senderFiled: { ...action, folder: encodeFolder(action.folder) } };
    case 'filingRulesSet':
      return { filingRulesSet: action };
    case 'privacySet':
      return { privacySet: encodePrivacy(action) };
    case 'inboxSeen':
      return { inboxSeen: {} };
    case 'friendAdded':
      return { friendAdded: action };
    case 'friendRemoved':
      return { friendRemoved: action };
    case 'addressAssigned':
      return { addressAssigned: action };
    case 'addressMoved':
      return { addressMoved: action };
    case 'addressReleased':
      return { addressReleased: action };
    case 'addressesChanged':
      return { addressesChanged: action };
    case 'moved':
      return { moved: action };
  }
}

/** @throws UnreadableEntry for an action that this version does not know */
function decodeAction(wire: WireAction): Action {
  if (wire.messageAdded) return decodeMessageAdded(wire.messageAdded);
  if (wire.messageKeywordsChanged) {
    const { emailId = '', keywords = [] } = wire.messageKeywordsChanged;
    return { type: 'messageKeywordsChanged', emailId, keywords };
  }
  if (wire.messageMailboxesChanged) {
    const { emailId = '', mailboxIds = [] } = wire.messageMailboxesChanged;
    return { type: 'messageMailboxesChanged', emailId, mailboxIds };
  }
  if (wire.messageDestroyed) {
    const { emailId = '', threadId = '' } = wire.messageDestroyed;
    return { type: 'messageDestroyed', emailId, threadId };
  }
  if (wire.messageRefiled) {
    const { emailId = '', mailboxIds = [] } = wire.messageRefiled;
    return { type: 'messageRefiled', emailId, mailboxIds };
  }
  if (wire.mailboxCreated) {
    const {
      name = '',
      parentId = '',
      role = '',
      sortOrder = 0,
      isSubscribed = false,
      restoredFrom,
    } = wire.mailboxCreated;
    return {
      type: 'mailboxCreated',
      name,
      parentId,
      role,
      sortOrder,
      isSubscribed,
      ...(restoredFrom && { restoredFrom }),
    };
  }
  if (wire.mailboxUpdated) {
    const { mailboxId = '', name, parentId, role, sortOrder, isSubscribed } = wire.mailboxUpdated;
    return {
      type: 'mailboxUpdated',
      mailboxId,
      name: name ?? undefined,
      parentId: parentId ?? undefined,
      role: role ?? undefined,
      sortOrder: sortOrder ?? undefined,
      isSubscribed: isSubscribed ?? undefined,
    };
  }
  if (wire.mailboxDestroyed)
    return { type: 'mailboxDestroyed', mailboxId: wire.mailboxDestroyed.mailboxId ?? '' };
  if (wire.userCreated) {
    const { userId = '', addresses = [], displayName = '', cell = '' } = wire.userCreated;
    return { type: 'userCreated', userId, addresses, displayName, cell };
  }
  if (wire.credentialsSet) {
    // Copies: the bytes given are a view of the whole entry, which would stay in memory with them.
    const { salt = [], hash = [], n = 0, r = 0, p = 0 } = wire.credentialsSet;
    return { type: 'credentialsSet', salt: Uint8Array.from(salt), hash: Uint8Array.from(hash), n, r, p };
  }
  if (wire.addressAssigned) {
    const { userId = '', cell = '' } = wire.addressAssigned;
    return { type: 'addressAssigned', userId, cell };
  }
  if (wire.addressMoved) {
    const { userId = '', from = '' } = wire.addressMoved;
    return { type: 'addressMoved', userId, from };
  }
  if (wire.addressReleased) return { type: 'addressReleased', userId: wire.addressReleased.userId ?? '' };
  if (wire.addressesChanged)
    return { type: 'addressesChanged', addresses: wire.addressesChanged.addresses ?? [] };
  if (wire.privacySet) {
    const settings = decodePrivacy(wire.privacySet);
    if (!settings) throw new UnreadableEntry(`settings of the unknown reach ${wire.privacySet.reach}`);
    return { type: 'privacySet', ...settings };
  }
  if (wire.inboxSeen) return { type: 'inboxSeen' };
  if (wire.correspondentsAdded)
    return { type: 'correspondentsAdded', addresses: wire.correspondentsAdded.addresses ?? [] };
  if (wire.senderFiled) {
    const { address = '', emailId = '' } = wire.senderFiled;
    const folder = decodeFolder(wire.senderFiled.folder);
    if (folder === undefined) throw new UnreadableEntry(`the unknown folder ${wire.senderFiled.folder}`);
    return { type: 'senderFiled', address, folder, emailId };
  }
  if (wire.filingRulesSet)
    return { type: 'filingRulesSet', rules: (wire.filingRulesSet.rules ?? []).map(decodeRule) };
  if (wire.friendAdded) return { type: 'friendAdded', userId: wire.friendAdded.userId ?? '' };
  if (wire.friendRemoved) return { type: 'friendRemoved', userId: wire.friendRemoved.userId ?? '' };
  if (wire.moved) return { type: 'moved', toCell: wire.moved.toCell ?? '' };
  throw new UnreadableEntry('an action that this version does not know');
}
