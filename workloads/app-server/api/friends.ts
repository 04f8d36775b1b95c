// GET /users/{userId}/friends → {friends, former}: all that the user's log says of others, for the user index.
import { friendWords } from '../image/friends.ts';
import { asUser } from '../image/model.ts';
import { userKey } from '../../common/keys.ts';
import type { Services } from './services.ts';
import type { UserRequest } from './user-request.ts';
import { notFound } from './wrap.ts';

export async function getFriends(services: Services, { response, userId }: UserRequest): Promise<void> {
  const words = await services.logs.read(userKey(userId), (image) => {
    const user = asUser(image);
    return user && [...friendWords(user)];
  });
  if (!words) return notFound(response);
  const ids = (isFriend: boolean): string[] =>
    words.filter((word) => word.isFriend === isFriend).map((word) => word.userId);
  response.json({ friends: ids(true), former: ids(false) });
}
