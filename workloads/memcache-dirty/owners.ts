// Asks the app servers for counts: all users of a server in one request, and those that have just moved one by one.
import { request } from 'undici';
import type { Cells } from '../common/cell-client/cells.ts';
import { Unassigned } from '../common/cell-client/errors.ts';
import { countsAnswer, type CountsAnswer, type UserCounts } from '../common/counts.ts';
import { bearer } from '../common/http/platform-token.ts';
import { userKey } from '../common/keys.ts';
import { inParallel } from '../common/parallel.ts';
import { followingHeaders } from '../common/request-id.ts';
import type { FeedMark, Feeds } from './feeds.ts';

const BATCH_DEADLINE_MS = 3_000;
/** Until a dead server's neighbour has taken over. */
const SINGLE_DEADLINE_MS = 5_000;
const PARALLEL_SINGLES = 16;

/** `mark`: how far the feed of the server that answered was before; undefined: not to be cached. */
export type FreshCounts = UserCounts & { mark: FeedMark | undefined };
type Asked = { fresh: FreshCounts[]; unknown: string[]; unavailable: string[] };
/** A user, and the URL of their owner; undefined when nobody serves them just now. */
export type Placed = { userId: string; url: string | undefined };

type Owners = {
  cells: Pick<Cells, 'where' | 'request'>;
  feeds: Pick<Feeds, 'mark'>;
  token: string;
};

export async function askOwners(owners: Owners, users: readonly Placed[]): Promise<Asked> {
  const asked: Asked = { fresh: [], unknown: [], unavailable: [] };
  const byUrl = new Map<string, string[]>();
  const singles: string[] = [];
  for (const { userId, url } of users) {
    if (url === undefined) singles.push(userId);
    else byUrl.set(url, [...(byUrl.get(url) ?? []), userId]);
  }
  await Promise.all(
    [...byUrl].map(async ([url, userIds]) => {
      const mark = owners.feeds.mark(url);
      const answer = await askServer(url, userIds, owners.token).catch(() => undefined);
      for (const counts of answer?.counts ?? []) asked.fresh.push({ ...counts, mark });
      asked.unknown.push(...(answer?.unknown ?? []));
      singles.push(...(answer?.elsewhere ?? userIds));
    }),
  );
  await inParallel(singles, PARALLEL_SINGLES, (userId) => askOne(owners, userId, asked));
  return asked;
}

async function askServer(url: string, users: readonly string[], token: string): Promise<CountsAnswer> {
  const response = await request(new URL('/counts', url), {
    method: 'POST',
    headers: { authorization: bearer(token), ...followingHeaders(), 'content-type': 'application/json' },
    body: JSON.stringify({ users }),
    signal: AbortSignal.timeout(BATCH_DEADLINE_MS),
  });
  if (response.statusCode !== 200) {
    await response.body.dump();
    throw new Error(`${url} answers ${response.statusCode}`);
  }
  return countsAnswer.parse(await response.body.json());
}

/** By the client of the cells, which finds who serves the user now. Not cached: who answered is not known here. */
async function askOne(owners: Owners, userId: string, asked: Asked): Promise<void> {
  try {
    const response = await owners.cells.request(userKey(userId), {
      method: 'POST',
      path: '/counts',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ users: [userId] }),
      idempotent: true,
      deadlineMs: SINGLE_DEADLINE_MS,
    });
    if (response.status !== 200) {
      await response.body.dump();
      throw new Error(`the owner answers ${response.status}`);
    }
    const answer = countsAnswer.parse(await response.json());
    for (const counts of answer.counts) asked.fresh.push({ ...counts, mark: undefined });
    asked.unknown.push(...answer.unknown);
  } catch (error) {
    (error instanceof Unassigned ? asked.unknown : asked.unavailable).push(userId);
  }
}
