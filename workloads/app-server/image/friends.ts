// What a user's log says of other users: this one is a friend, or is none any more. Both are remembered, as the user index
// has edges from elsewhere that such a word overrules.
import type { FriendAdded, FriendRemoved } from '../log/actions.ts';
import type { Ordinal } from './ids.ts';
import type { UserImage } from './model.ts';
import { FRIENDS, readOrdinal, USER_ID_BYTES, writeOrdinal } from './record-keys.ts';

type FriendWord = { readonly userId: string; readonly isFriend: boolean; readonly at: Ordinal };

/** Leaves that are asked for at once when all are read. */
const READ_AHEAD = 64;

function friendKey(userId: string): Uint8Array {
  const key = new Uint8Array(USER_ID_BYTES);
  Buffer.from(key.buffer).write(userId, 'latin1');
  return key;
}

/** @returns undefined for a user of whom the log says nothing @throws PageMissing */
export function friendWord(image: UserImage, userId: string): FriendWord | undefined {
  const value = image.friends.get(friendKey(userId));
  return value && { userId, isFriend: value[0] === 1, at: readOrdinal(value, 1) };
}

/** In the order of their ids. @throws PageMissing */
export function* friendWords(image: UserImage): Generator<FriendWord, void, undefined> {
  for (const record of image.friends.range({ readAhead: READ_AHEAD })) {
    const text = Buffer.from(record.buffer, record.byteOffset, USER_ID_BYTES).toString('latin1');
    const userId = text.replace(/\0+$/, '');
    yield { userId, isFriend: record[USER_ID_BYTES] === 1, at: readOrdinal(record, USER_ID_BYTES + 1) };
  }
}

/** @throws PageMissing */
export function sayFriend(image: UserImage, action: FriendAdded | FriendRemoved, at: Ordinal): UserImage {
  const isFriend = action.type === 'friendAdded';
  const before = friendWord(image, action.userId)?.isFriend ?? false;
  const record = new Uint8Array(FRIENDS.keyBytes + FRIENDS.valueBytes);
  record.set(friendKey(action.userId));
  record[USER_ID_BYTES] = isFriend ? 1 : 0;
  writeOrdinal(record, USER_ID_BYTES + 1, at);
  return {
    ...image,
    friends: image.friends.put(record),
    friendCount: image.friendCount + Number(isFriend) - Number(before),
    friendsChangedAt: at,
  };
}
