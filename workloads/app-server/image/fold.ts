// The fold of a key's log: each action makes the next image in exactly one way. What an action may not do was checked before
// it was written (logic/); here a bad one is a damaged log, and stops the replay.
import type { Action } from '../log/actions.ts';
import type { Fold } from '../log/user-log-types.ts';
import { BadAction } from './bad-action.ts';
import { addMessage, changeKeywords, changeMailboxes, destroyMessage, refile } from './emails.ts';
import { addCorrespondents, fileSender } from './filing.ts';
import { sayFriend } from './friends.ts';
import { ordinal, type Ordinal } from './ids.ts';
import { createMailbox, destroyMailbox, updateMailbox } from './mailboxes.ts';
import { EMPTY_ADDRESS, EMPTY_USER } from './empty.ts';
import type { AddressImage, Image, UserImage } from './model.ts';
import { imageSize, unloadPages } from './size.ts';
import { imageSnapshots } from './snapshot.ts';

const ADDRESS_PREFIX = 'address:';

export const imageFold: Fold<Image, Action> = {
  empty: (key) => (key.startsWith(ADDRESS_PREFIX) ? EMPTY_ADDRESS : EMPTY_USER),
  size: imageSize,
  unload: unloadPages,
  snapshots: imageSnapshots,
  apply(image, action, at) {
    if (action.type === 'moved') return { ...image, home: action.toCell };
    return image.kind === 'address' ? applyToAddress(image, action) : applyToUser(image, action, ordinal(at));
  },
};

function applyToAddress(image: AddressImage, action: Exclude<Action, { type: 'moved' }>): AddressImage {
  switch (action.type) {
    case 'addressAssigned':
      return { ...image, userId: action.userId, home: action.cell || image.home };
    case 'addressMoved':
      return { ...image, userId: action.userId, formerUserId: action.from };
    case 'addressReleased':
      return { ...image, userId: undefined, formerUserId: action.userId };
    default:
      throw new BadAction(`${action.type} in the log of an address`);
  }
}

function applyToUser(image: UserImage, action: Exclude<Action, { type: 'moved' }>, at: Ordinal): UserImage {
  switch (action.type) {
    case 'userCreated': {
      const { userId, addresses, displayName, cell } = action;
      const user = { userId, addresses: [...addresses], displayName };
      return { ...image, user, home: cell || image.home };
    }
    case 'credentialsSet': {
      const { salt, hash, n, r, p } = action;
      return { ...image, credentials: { salt, hash, n, r, p } };
    }
    case 'mailboxCreated':
      return createMailbox(image, action, at);
    case 'mailboxUpdated':
      return updateMailbox(image, action, at);
    case 'mailboxDestroyed':
      return destroyMailbox(image, action, at);
    case 'messageAdded':
      return addMessage(image, action, at);
    case 'messageKeywordsChanged':
      return changeKeywords(image, action, at);
    case 'messageMailboxesChanged':
      return changeMailboxes(image, action, at);
    case 'messageDestroyed':
      return destroyMessage(image, action, at);
    case 'messageRefiled':
      return refile(image, action, at);
    case 'correspondentsAdded':
      return addCorrespondents(image, action);
    case 'senderFiled':
      return fileSender(image, action, at);
    case 'filingRulesSet':
      return { ...image, filing: { ...image.filing, rules: action.rules, changedAt: at } };
    case 'privacySet': {
      const { type: _type, ...privacy } = action;
      return { ...image, privacy, privacyChangedAt: at };
    }
    case 'inboxSeen':
      return { ...image, inboxSeenAt: at, unseen: 0 };
    case 'friendAdded':
    case 'friendRemoved':
      return sayFriend(image, action, at);
    case 'addressesChanged': {
      if (!image.user) throw new BadAction('addressesChanged before userCreated');
      return { ...image, user: { ...image.user, addresses: [...action.addresses] } };
    }
    case 'addressAssigned':
    case 'addressMoved':
    case 'addressReleased':
      throw new BadAction(`${action.type} in the log of a user`);
    default:
      return action satisfies never;
  }
}
