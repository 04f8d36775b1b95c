// Friend/changes (RFC 8620 section 5.2), told from the log.
import { z } from 'zod';
import { stateString, type Ordinal } from '../../image/ids.ts';
import { changesArgs, MAX_CHANGES, sinceOrdinal } from '../changes.ts';
import { FRIENDS } from '../limits.ts';
import { withActionsSince, type LoggedAction } from '../log-changes.ts';
import { accountMethod } from '../method.ts';

/** Before the first word of the log since then each was what the word changed. */
type Change = { was: boolean; is: boolean };

function changesOf(
  actions: readonly LoggedAction[],
  max: number,
): { changes: Map<string, Change>; until: Ordinal | undefined } {
  const changes = new Map<string, Change>();
  let last: Ordinal = 0;
  for (const { at, action } of actions) {
    if (action.type !== 'friendAdded' && action.type !== 'friendRemoved') continue;
    const is = action.type === 'friendAdded';
    const before = changes.get(action.userId);
    if (!before && changes.size === max) return { changes, until: last };
    changes.set(action.userId, { was: before?.was ?? !is, is });
    last = at;
  }
  return { changes, until: undefined };
}

export const friendChanges = accountMethod({
  name: 'Friend/changes',
  capability: FRIENDS,
  args: z.strictObject(changesArgs),
  async run({ sinceState, maxChanges }, call) {
    const max = Math.min(maxChanges ?? MAX_CHANGES, MAX_CHANGES);
    return withActionsSince(
      call,
      (image) => sinceOrdinal(sinceState, image.friendsChangedAt),
      (image) => image.friendsChangedAt,
      (image, actions) => {
        const { changes, until } = changesOf(actions, max);
        const ids = (was: boolean, is: boolean): string[] =>
          [...changes].filter(([, change]) => change.was === was && change.is === is).map(([id]) => id);
        return {
          oldState: sinceState,
          newState: stateString(until ?? image.friendsChangedAt),
          hasMoreChanges: until !== undefined,
          created: ids(false, true),
          updated: ids(true, true),
          destroyed: ids(true, false),
        };
      },
    );
  },
});
