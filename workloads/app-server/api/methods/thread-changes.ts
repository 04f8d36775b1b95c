// Thread/changes (RFC 8621 section 3.2): a thread changes when an email joins or leaves it.
import { z } from 'zod';
import { parseThreadId, threadId } from '../../image/ids.ts';
import { threadSize } from '../../image/threads.ts';
import type { UserImage } from '../../image/model.ts';
import { changesArgs, MAX_CHANGES, sinceOrdinal } from '../changes.ts';
import { MAIL } from '../limits.ts';
import { withActionsSince, type LoggedAction } from '../log-changes.ts';
import { accountMethod } from '../method.ts';
import { objectChanges, type Touch } from '../object-changes.ts';

function touchOf(image: UserImage, { at, action }: LoggedAction): Touch[] {
  if (action.type !== 'messageAdded' && action.type !== 'messageDestroyed') return [];
  const id = action.threadId === '' ? at : parseThreadId(action.threadId);
  // A thread that is gone later, too, is told as gone at once.
  return id === undefined ? [] : [{ at, id, gone: threadSize(image, id) === 0 }];
}

export const threadChanges = accountMethod({
  name: 'Thread/changes',
  capability: MAIL,
  args: z.strictObject(changesArgs),
  async run({ sinceState, maxChanges }, call) {
    const max = Math.min(maxChanges ?? MAX_CHANGES, MAX_CHANGES);
    return withActionsSince(
      call,
      (image) => sinceOrdinal(sinceState, image.threadsChangedAt),
      (image) => image.threadsChangedAt,
      (image, actions, since) => {
        const touches = actions.flatMap((action) => touchOf(image, action));
        return objectChanges(touches, since, image.threadsChangedAt, max, threadId);
      },
    );
  },
});
