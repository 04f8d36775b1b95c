// POST /counts {users} → {counts, unknown, elsewhere}: how many emails in the inboxes of some users are unread, and how many new.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { countedUsers, type CountsAnswer } from '../../common/counts.ts';
import { userKey } from '../../common/keys.ts';
import { inParallel } from '../../common/parallel.ts';
import { inboxOf } from '../image/counts.ts';
import { asUser, type Image } from '../image/model.ts';
import { readChecked } from './read-body.ts';
import type { Services } from './services.ts';
import { isUnavailable } from './unavailable.ts';

/** Logs that are opened at once for one request: others want to read, too. */
const PARALLEL_READS = 16;

const body = z.strictObject({ users: countedUsers });

/** Of many users, those that this server doesn't serve are named; asked for one, it answers 421 as all else does. */
export async function postCounts(services: Services, request: Request, response: Response): Promise<void> {
  const asked = await readChecked(request, response, body);
  if (!asked) return;
  const { users } = asked;
  const answer: CountsAnswer = { counts: [], unknown: [], elsewhere: [] };
  await inParallel(users, PARALLEL_READS, async (userId) => {
    try {
      const counts = await services.logs.read(userKey(userId), (image, seq) => countsOf(image, seq));
      if (counts) answer.counts.push({ userId, ...counts });
      else answer.unknown.push(userId);
    } catch (error) {
      if (users.length === 1 || !isUnavailable(error)) throw error;
      answer.elsewhere.push(userId);
    }
  });
  response.set('Cache-Control', 'no-store').json(answer);
}

/** @returns undefined when there is no such user */
function countsOf(image: Image, seq: number): { unread: number; unseen: number; seq: number } | undefined {
  const user = asUser(image);
  return user && { unread: inboxOf(user.mailboxes)?.unreadEmails ?? 0, unseen: user.unseen, seq };
}
