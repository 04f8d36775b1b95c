// Makes and ends friendships: a word in the log of each of the two. There is no transaction over both. A friendship that was
// begun and not finished is none, as it takes the word of both; one that was ended by one is ended. Saying it again finishes it.
import { z } from 'zod';
import type { Cells } from '../common/cell-client/cells.ts';
import { Unassigned, UnexpectedAnswer } from '../common/cell-client/errors.ts';
import { userKey } from '../common/keys.ts';

const USING = ['urn:ietf:params:jmap:core', 'urn:cellpost:friends'];
const DEADLINE_MS = 10_000;

const setError = z.object({ type: z.string(), description: z.string().optional() });
const setAnswer = z.object({
  methodResponses: z.tuple([z.tuple([z.string(), z.record(z.string(), z.unknown()), z.string()])]),
});
const setResult = z.object({
  notCreated: z.record(z.string(), setError).nullish(),
  notDestroyed: z.record(z.string(), setError).nullish(),
});

/** There is no such user. */
export class UnknownUser extends Error {
  override name = 'UnknownUser';
}

/** The user's app server does not take it: too many friends. */
export class FriendshipRefused extends Error {
  override name = 'FriendshipRefused';
}

type Requests = Pick<Cells, 'request'>;

/** @throws UnknownUser, FriendshipRefused before anything was said, or by the second: then the first's word has no effect; what requests throw */
export async function befriend(cells: Requests, a: string, b: string): Promise<void> {
  // A word about somebody who is not there would wait for whoever gets that id.
  for (const userId of [a, b]) await assertUser(cells, userId);
  await say(cells, a, { create: { friend: { userId: b } } });
  await say(cells, b, { create: { friend: { userId: a } } });
}

/** A user who is not there (any more) needs no word. @throws what requests throw */
export async function unfriend(cells: Requests, a: string, b: string): Promise<void> {
  for (const [userId, other] of [
    [a, b],
    [b, a],
  ] as const)
    await say(cells, userId, { destroy: [other] }).catch((error: unknown) => {
      if (!(error instanceof UnknownUser)) throw error;
    });
}

async function assertUser(cells: Requests, userId: string): Promise<void> {
  const path = `/users/${userId}/friends`;
  const response = await send(cells, userId, { method: 'GET', path });
  await response.body.dump();
  if (response.status === 404) throw new UnknownUser(`There is no user ${userId}.`);
}

async function say(cells: Requests, userId: string, change: Record<string, unknown>): Promise<void> {
  const response = await send(cells, userId, {
    method: 'POST',
    path: `/users/${userId}/jmap/api`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      using: USING,
      methodCalls: [['Friend/set', { accountId: userId, ...change }, '0']],
    }),
  });
  const text = await response.body.toArray().then((chunks) => Buffer.concat(chunks as Buffer[]).toString());
  if (response.status === 404) throw new UnknownUser(`There is no user ${userId}.`);
  if (response.status !== 200) throw new UnexpectedAnswer('Friend/set', response.status, text);
  const [[name, result]] = setAnswer.parse(JSON.parse(text)).methodResponses;
  if (name === 'error' && result.type === 'accountNotFound')
    throw new UnknownUser(`There is no user ${userId}.`);
  if (name !== 'Friend/set') throw new UnexpectedAnswer('Friend/set', 200, text);
  const { notCreated, notDestroyed } = setResult.parse(result);
  const [problem] = Object.values({ ...notCreated, ...notDestroyed });
  if (problem) throw new FriendshipRefused(`${userId}: ${problem.description ?? problem.type}`);
}

async function send(
  cells: Requests,
  userId: string,
  options: { method: 'GET' | 'POST'; path: string; headers?: Record<string, string>; body?: string },
): ReturnType<Requests['request']> {
  try {
    // Saying again what is said already adds nothing: it may be repeated.
    return await cells.request(userKey(userId), { ...options, idempotent: true, deadlineMs: DEADLINE_MS });
  } catch (error) {
    if (error instanceof Unassigned) throw new UnknownUser(`There is no user ${userId}.`, { cause: error });
    throw error;
  }
}
