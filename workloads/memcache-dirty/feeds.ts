// Follows the change feeds of all app servers (docs/change-feed.md), and knows by them which cached counts may be believed.
// A value in memcached says which server's feed its count was read behind, and how far that feed was. It may be believed while we
// have heard everything of that feed since then, as we invalidate whatever changes, and while that server has given up
// nothing since. So a value stands and falls with one feed, whatever other servers, or we, missed: nothing need be swept
// after a restart of ours, of memcached or of an app server, and nothing is lost when a note is.
import { createInterface } from 'node:readline';
import { request } from 'undici';
import type { Cells } from '../common/cell-client/cells.ts';
import { feedLine, PING_MS, type FeedLine } from '../common/changes/feed-lines.ts';
import { delay, systemClock, type Clock } from '../common/clock.ts';
import type { Verdict } from '../common/http/health.ts';
import { bearer } from '../common/http/platform-token.ts';
import type { Logger } from '../common/log.ts';
import { allWell, Pulse } from '../common/pulse.ts';

/**
 * A feed that pings no more may be cut off somewhere, or its server be: it is asked itself. With the lease that a server
 * had when it pinged, this is over before others can have taken its users.
 */
const BELIEVED_MS = 1.5 * PING_MS;
/** Then it is opened anew. */
const SILENCE_MS = 3 * PING_MS;
const RETRY_MS = 100;
/** How soon a new app server is followed; its counts are not cached before. */
const TICK_MS = 250;

/** All that counts depend on; `other`: a user who moved to another cell is there. */
const KINDS = 'email,mailbox,other';

/** How far a feed was. */
export type FeedMark = { instance: string; number: number };

type Feed = FeedMark & {
  url: string;
  ending: AbortController;
  /** What was read when the feed was not as far as this is not believed. */
  floor: number;
  /** When the server last said that it serves, and that everything up to `number` had been told. */
  heldAt: number;
  pulse: Pulse;
};

type FeedsOptions = {
  cells: Pick<Cells, 'appServers'>;
  token: string;
  logger: Logger;
  /** The log of this key has changed. When it rejects, the feed's values from before are not believed any more. */
  onChange: (key: string) => Promise<void>;
  clock?: Clock;
};

export class Feeds {
  readonly #options: FeedsOptions;
  readonly #feeds = new Map<string, Feed>();
  readonly #running = new Set<Promise<void>>();
  readonly #ticks: NodeJS.Timeout;

  constructor(options: FeedsOptions) {
    this.#options = options;
    this.#ticks = setInterval(() => this.#followAll(), TICK_MS);
    this.#followAll();
  }

  /** How far the feed of a server is now, to be asked for before its counts are. @returns undefined while it is not heard */
  mark(url: string): FeedMark | undefined {
    const feed = this.#feeds.get(url);
    return feed && isLive(feed) ? { instance: feed.instance, number: feed.number } : undefined;
  }

  /** May a count be believed that the server at this URL gave when its feed was at the mark? */
  believes(url: string, mark: FeedMark): boolean {
    const feed = this.#feeds.get(url);
    return feed !== undefined && isLive(feed) && mark.instance === feed.instance && mark.number >= feed.floor;
  }

  /** Feeds that are heard at the moment, and those that should be. */
  stats(): { live: number; wanted: number } {
    const live = [...this.#feeds.values()].filter((feed) => isLive(feed)).length;
    return { live, wanted: this.#feeds.size };
  }

  /** Not well when a feed is neither heard nor tried. */
  health(): Verdict {
    return allWell([...this.#feeds.values()].map(({ pulse }) => pulse));
  }

  async close(): Promise<void> {
    clearInterval(this.#ticks);
    for (const { ending } of this.#feeds.values()) ending.abort();
    await Promise.all(this.#running);
  }

  #followAll(): void {
    const present = new Set(this.#options.cells.appServers().map(({ url }) => url));
    for (const [url, feed] of this.#feeds) {
      if (present.has(url)) continue;
      feed.ending.abort();
      this.#feeds.delete(url);
    }
    for (const url of present) {
      if (url === '' || this.#feeds.has(url)) continue;
      const ending = new AbortController();
      const pulse = new Pulse(`following ${url}`, this.#options.clock);
      const feed = { url, ending, instance: '', number: 0, floor: 0, heldAt: -Infinity, pulse };
      this.#feeds.set(url, feed);
      const running = this.#keepOpen(feed).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
  }

  async #keepOpen(feed: Feed): Promise<void> {
    const { signal } = feed.ending;
    while (!signal.aborted) {
      feed.pulse.beat();
      try {
        await this.#followOnce(feed);
      } catch (error) {
        if (!signal.aborted) this.#options.logger.debug({ err: error, url: feed.url }, 'a change feed broke');
      }
      feed.heldAt = -Infinity;
      await delay(systemClock, RETRY_MS * (0.5 + Math.random()), signal).catch(() => undefined);
    }
  }

  async #followOnce(feed: Feed): Promise<void> {
    const url = new URL('/changes', feed.url);
    url.search = `kinds=${KINDS}&instance=${feed.instance}&after=${feed.number}`;
    const response = await request(url, {
      headers: { authorization: bearer(this.#options.token) },
      signal: feed.ending.signal,
      headersTimeout: SILENCE_MS,
      bodyTimeout: SILENCE_MS,
    });
    // Stream errors come out of the loop: readline passes on none by itself.
    let failure: unknown;
    response.body.once('error', (error) => (failure = error));
    if (response.statusCode !== 200) {
      await response.body.dump();
      throw new Error(`it answers ${response.statusCode}`);
    }
    for await (const text of createInterface({ input: response.body, crlfDelay: Infinity })) {
      if (feed.ending.signal.aborted) return;
      feed.pulse.beat();
      this.#take(feed, feedLine.parse(JSON.parse(text)));
    }
    if (failure !== undefined) throw failure;
  }

  #take(feed: Feed, line: FeedLine): void {
    feed.number = line.number;
    if (line.type === 'change') {
      // What could not be invalidated may still lie there, and come back.
      this.#options.onChange(line.key).catch(() => (feed.floor = feed.number));
      return;
    }
    if (line.type === 'hello') {
      feed.instance = line.instance;
      if (line.resumed) return;
      feed.floor = line.number;
    }
    feed.floor = Math.max(feed.floor, line.heldSince ?? 0);
    feed.heldAt = line.heldSince === null ? -Infinity : performance.now();
  }
}

function isLive(feed: Feed): boolean {
  return performance.now() - feed.heldAt < BELIEVED_MS;
}
