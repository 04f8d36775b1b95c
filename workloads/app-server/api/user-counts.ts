// POST /counts {users} → {counts, unknown, elsewhere}: how many unread emails lie in the inboxes of some users.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { countedUsers, type CountsAnswer } from '../../common/counts.ts';
import { sendProblem } from '../../common/http/server.ts';
import { userKey } from '../../common/keys.ts';
import { inParallel } from '../../common/parallel.ts';
import { asUser, type Image } from '../image/model.ts';
import { readJson } from './read-body.ts';
import type { Services } from './services.ts';
import { isUnavailable } from './unavailable.ts';

/** Logs that are opened at once for one request: others want to read, too. */
const PARALLEL_READS = 16;

const body = z.strictObject({ users: countedUsers });

/** Of many users, those that this server doesn't serve are named; asked for one, it answers 421 as all else does. */
export async function postCounts(services: Services, request: Request, response: Response): Promise<void> {
  const asked = body.safeParse(await readJson(request));
  if (!asked.success) return sendProblem(response, 400, 'about:blank', z.prettifyError(asked.error));
  const { users } = asked.data;
  const answer: CountsAnswer = { counts: [], unknown: [], elsewhere: [] };
  await inParallel(users, PARALLEL_READS, async (userId) => {
    try {
      const counts = await services.logs.read(userKey(userId), (image, seq) => ({
        unread: unreadOf(image),
        seq,
      }));
      if (counts.unread === undefined) answer.unknown.push(userId);
      else answer.counts.push({ userId, unread: counts.unread, seq: counts.seq });
    } catch (error) {
      if (users.length === 1 || !isUnavailable(error)) throw error;
      answer.elsewhere.push(userId);
    }
  });
  response.set('Cache-Control', 'no-store').json(answer);
}

/** @returns undefined when there is no such user */
function unreadOf(image: Image): number | undefined {
  const user = asUser(image);
  if (!user) return undefined;
  for (const mailbox of user.mailboxes.values()) if (mailbox.role === 'inbox') return mailbox.unreadEmails;
  return 0;
}
