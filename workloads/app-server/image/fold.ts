// The fold of a key's log: each action changes the image in exactly one way. What an action may not do was checked before
// it was written (logic/); here a bad one is a damaged log, and stops the replay.
import type { Action } from '../log/actions.ts';
import type { Fold } from '../log/user-log-types.ts';
import { BadAction } from './bad-action.ts';
import { DeliveryWindow } from './delivery-window.ts';
import { addMessage, changeKeywords, changeMailboxes, destroyMessage } from './emails.ts';
import { ordinal } from './ids.ts';
import { createMailbox, destroyMailbox, updateMailbox } from './mailboxes.ts';
import type { Image, UserImage } from './model.ts';
import { imageSizeBytes } from './size.ts';

const ADDRESS_PREFIX = 'address:';
/** Deliveries that are remembered: days of mail for a busy mailbox. */
const MAX_DELIVERIES = 4096;

function emptyUser(): UserImage {
  return {
    kind: 'user',
    user: undefined,
    credentials: undefined,
    mailboxes: new Map(),
    emails: new Map(),
    emailsByDate: [],
    threads: new Map(),
    threadKeys: new Map(),
    goneThreads: 0,
    deliveries: new DeliveryWindow(MAX_DELIVERIES),
    emailsChangedAt: 0,
    threadsChangedAt: 0,
    mailboxesChangedAt: 0,
    lastDeliveryAt: 0,
    destroyedMailboxes: [],
    mailboxFloor: 0,
    sharedKeywords: new Map(),
    sharedMailboxes: new Map(),
  };
}

export const imageFold: Fold<Image, Action> = {
  empty: (key) => (key.startsWith(ADDRESS_PREFIX) ? { kind: 'address', userId: undefined } : emptyUser()),
  sizeBytes: imageSizeBytes,
  apply(image, action, at) {
    if (image.kind === 'address') {
      if (action.type !== 'addressAssigned') throw new BadAction(`${action.type} in the log of an address`);
      image.userId = action.userId;
      return;
    }
    const here = ordinal(at);
    switch (action.type) {
      case 'userCreated':
        image.user = {
          userId: action.userId,
          addresses: [...action.addresses],
          displayName: action.displayName,
        };
        return;
      case 'credentialsSet':
        image.credentials = {
          salt: action.salt,
          hash: action.hash,
          n: action.n,
          r: action.r,
          p: action.p,
        };
        return;
      case 'mailboxCreated':
        createMailbox(image, action, here);
        return;
      case 'mailboxUpdated':
        updateMailbox(image, action, here);
        return;
      case 'mailboxDestroyed':
        destroyMailbox(image, action, here);
        return;
      case 'messageAdded':
        addMessage(image, action, here);
        return;
      case 'messageKeywordsChanged':
        changeKeywords(image, action, here);
        return;
      case 'messageMailboxesChanged':
        changeMailboxes(image, action, here);
        return;
      case 'messageDestroyed':
        destroyMessage(image, action, here);
        return;
      case 'addressAssigned':
        throw new BadAction('addressAssigned in the log of a user');
      default:
        action satisfies never;
    }
  },
};
