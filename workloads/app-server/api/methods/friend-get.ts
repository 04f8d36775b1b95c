// Friend/get (RFC 8620 section 5.1): {id, userId, since}. The id is the friend's user id.
import { z } from 'zod';
import { friendWord, friendWords } from '../../image/friends.ts';
import { seqOf, stateString } from '../../image/ids.ts';
import { isUserId } from '../../../common/keys.ts';
import { getArgs, idsToGet, pick, propertiesToGet } from '../get.ts';
import { FRIENDS } from '../limits.ts';
import { accountMethod } from '../method.ts';

const PROPERTIES = new Set(['id', 'userId', 'sinceEntry']);

export const friendGet = accountMethod({
  name: 'Friend/get',
  capability: FRIENDS,
  args: z.strictObject(getArgs),
  async run(args, call) {
    const properties = propertiesToGet(args.properties, PROPERTIES);
    return call.read((image) => {
      const all = (): string[] =>
        [...friendWords(image)].filter(({ isFriend }) => isFriend).map(({ userId }) => userId);
      const list: Record<string, unknown>[] = [];
      const notFound: string[] = [];
      for (const id of idsToGet(args.ids, all)) {
        const word = isUserId(id) ? friendWord(image, id) : undefined;
        if (word?.isFriend) list.push(pick({ id, userId: id, sinceEntry: seqOf(word.at) }, properties));
        else notFound.push(id);
      }
      return { state: stateString(image.friendsChangedAt), list, notFound };
    });
  },
});
