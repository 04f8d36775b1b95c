// Counts of users: from the near data center's memcached where they may be believed, from who owns the users else.
import type { Cells } from '../common/cell-client/cells.ts';
import { Unassigned } from '../common/cell-client/errors.ts';
import type { UserCounts } from '../common/counts.ts';
import { userKey } from '../common/keys.ts';
import type { Logger } from '../common/log.ts';
import type { RefillCache } from '../common/memcache/refill-cache.ts';
import type { FeedMark, Feeds } from './feeds.ts';
import type { CountsMetrics } from './metrics.ts';
import { askOwners, type FreshCounts, type Placed } from './owners.ts';

/** `instance number seq unread unseen`, as it lies in memcached. */
const VALUE = /^([\w-]{1,64}) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15})$/;

type Counts = {
  counts: UserCounts[];
  /** Nobody has these ids. */
  unknown: string[];
  /** Who serves these can't be reached in time. */
  unavailable: string[];
};

type CountReaderOptions = {
  cells: Pick<Cells, 'where' | 'request'>;
  /** Undefined: each count is asked from the app servers. */
  cache: RefillCache | undefined;
  feeds: Feeds;
  token: string;
  metrics: CountsMetrics;
  logger: Logger;
};

export class CountReader {
  readonly #options: CountReaderOptions;

  constructor(options: CountReaderOptions) {
    this.#options = options;
  }

  async read(userIds: readonly string[]): Promise<Counts> {
    const { metrics } = this.#options;
    const result: Counts = { counts: [], unknown: [], unavailable: [] };
    const misses: Placed[] = [];
    const tokens = new Map<string, string>();
    await Promise.all(
      userIds.map(async (userId) => {
        const url = await this.#urlOf(userId);
        if (url === null) return void result.unknown.push(userId);
        const found = await this.#fromCache(userId, url, tokens);
        if (found) result.counts.push(found);
        else misses.push({ userId, url });
      }),
    );
    metrics.lookups(true, result.counts.length);
    metrics.lookups(false, misses.length);
    if (misses.length === 0) return result;
    const asked = await askOwners(this.#options, misses);
    for (const { mark, ...counts } of asked.fresh) {
      result.counts.push(counts);
      const token = tokens.get(counts.userId);
      if (mark && token !== undefined) this.#store({ ...counts, mark }, token);
    }
    result.unknown.push(...asked.unknown);
    result.unavailable.push(...asked.unavailable);
    return result;
  }

  /** @returns null for a user whom no cell has, undefined when nobody serves them just now */
  async #urlOf(userId: string): Promise<string | null | undefined> {
    try {
      const { url } = await this.#options.cells.where(userKey(userId));
      return url;
    } catch (error) {
      return error instanceof Unassigned ? null : undefined;
    }
  }

  async #fromCache(
    userId: string,
    url: string | undefined,
    tokens: Map<string, string>,
  ): Promise<UserCounts | undefined> {
    const { cache, feeds } = this.#options;
    if (!cache || url === undefined || !feeds.mark(url)) return undefined;
    try {
      let found = await cache.get(userKey(userId));
      const known = found.value && parseValue(found.value);
      if (known && feeds.believes(url, known.mark)) return { userId, ...known.counts };
      if (found.value) {
        // Nobody was told to store another in its place.
        await cache.invalidate(userKey(userId));
        found = await cache.get(userKey(userId));
      }
      if (found.token !== undefined) tokens.set(userId, found.token);
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'memcached is away');
    }
    return undefined;
  }

  #store({ userId, seq, unread, unseen, mark }: FreshCounts & { mark: FeedMark }, token: string): void {
    const value = Buffer.from(`${mark.instance} ${mark.number} ${seq} ${unread} ${unseen}`);
    // A failure costs a miss and no more.
    this.#options.cache?.store(userKey(userId), value, token).catch(() => undefined);
  }
}

function parseValue(
  bytes: Buffer,
): { mark: FeedMark; counts: Pick<UserCounts, 'seq' | 'unread' | 'unseen'> } | undefined {
  const [, instance, number, seq, unread, unseen] = VALUE.exec(bytes.toString('latin1')) ?? [];
  if (instance === undefined) return undefined;
  return {
    mark: { instance, number: Number(number) },
    counts: { seq: Number(seq), unread: Number(unread), unseen: Number(unseen) },
  };
}
