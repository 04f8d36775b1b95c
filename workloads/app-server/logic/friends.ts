// Who is a friend: what may be said in a user's log. Saying again what is said already adds nothing, so whoever writes both
// logs of a pair and died between may repeat all of it.
import { isUserId } from '../../common/keys.ts';
import { friendWord } from '../image/friends.ts';
import { invalidProperties, type SetError } from './set-error.ts';
import { userOf, type Tx } from './users.ts';

/** Friends of one user; bounds what the user index fetches for one. */
export const MAX_FRIENDS = 5_000;
/** Users of whom the log says something: friends, and those who are none any more. */
const MAX_WORDS = 4 * MAX_FRIENDS;

/** @returns why not */
export function addFriend(tx: Tx, userId: string): SetError | undefined {
  const image = userOf(tx);
  if (!isUserId(userId)) return invalidProperties(['userId'], 'This is no user id.');
  if (userId === image.user.userId) return invalidProperties(['userId'], 'Nobody is their own friend.');
  const before = friendWord(image, userId);
  if (before?.isFriend) return undefined;
  if (image.friendCount >= MAX_FRIENDS || (!before && image.friends.size >= MAX_WORDS))
    return { type: 'overQuota', description: `At most ${MAX_FRIENDS} friends.` };
  tx.add({ type: 'friendAdded', userId });
  return undefined;
}

/**
 * Also ends a friendship that only an edge list of the user index knows of.
 * @returns why not
 */
export function removeFriend(tx: Tx, userId: string): SetError | undefined {
  const image = userOf(tx);
  if (!isUserId(userId) || userId === image.user.userId)
    return invalidProperties(['userId'], 'This is no other user.');
  const before = friendWord(image, userId);
  if (before && !before.isFriend) return undefined;
  if (!before && image.friends.size >= MAX_WORDS)
    return { type: 'overQuota', description: `The log speaks of ${MAX_WORDS} users already.` };
  tx.add({ type: 'friendRemoved', userId });
  return undefined;
}
