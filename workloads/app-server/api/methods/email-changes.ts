// Email/changes (RFC 8621 section 4.3).
import { z } from 'zod';
import { emailId, parseEmailId } from '../../image/ids.ts';
import { changesArgs, MAX_CHANGES, sinceOrdinal } from '../changes.ts';
import { MAIL } from '../limits.ts';
import { withActionsSince, type LoggedAction } from '../log-changes.ts';
import { accountMethod } from '../method.ts';
import { objectChanges, type Touch } from '../object-changes.ts';

function touchOf({ at, action }: LoggedAction): Touch[] {
  switch (action.type) {
    case 'messageAdded':
      return [{ at, id: at, gone: false }];
    case 'messageKeywordsChanged':
    case 'messageMailboxesChanged':
    case 'messageDestroyed': {
      const id = parseEmailId(action.emailId);
      return id === undefined ? [] : [{ at, id, gone: action.type === 'messageDestroyed' }];
    }
    default:
      return [];
  }
}

export const emailChanges = accountMethod({
  name: 'Email/changes',
  capability: MAIL,
  args: z.strictObject(changesArgs),
  async run({ sinceState, maxChanges }, call) {
    const max = Math.min(maxChanges ?? MAX_CHANGES, MAX_CHANGES);
    return withActionsSince(
      call,
      (image) => sinceOrdinal(sinceState, image.emailsChangedAt),
      (image) => image.emailsChangedAt,
      (image, actions, since) =>
        objectChanges(actions.flatMap(touchOf), since, image.emailsChangedAt, max, emailId),
    );
  },
});
