// Follows the change feeds of all app servers (docs/change-feed.md), and knows by them which cached counts may be believed.
// A value in memcached says which server's feed its count was read behind, and how far that feed was. It may be believed while we
// have heard everything of that feed since then, as we invalidate whatever changes: so nothing need be swept after a
// restart of ours, of memcached or of an app server, and nothing is lost when a note is.
import { createInterface } from 'node:readline';
import { request } from 'undici';
import type { Cells } from '../common/cell-client/cells.ts';
import { feedLine, PING_MS, type FeedLine } from '../common/changes/feed-lines.ts';
import { delay, systemClock } from '../common/clock.ts';
import { bearer } from '../common/http/platform-token.ts';
import type { Logger } from '../common/log.ts';

/** A feed that says nothing for longer than its pings take may be cut off somewhere: its server is asked itself. */
const BELIEVED_MS = 1.5 * PING_MS;
/** Then it is opened anew. */
const SILENCE_MS = 3 * PING_MS;
const RETRY_MS = 100;
/** How soon a new app server is followed; its counts are not cached before. */
const TICK_MS = 250;

/** How far a feed was. */
export type FeedMark = { instance: string; number: number };

type Feed = FeedMark & {
  url: string;
  ending: AbortController;
  /** What was read when the feed was not as far as this is not believed. */
  floor: number;
  /** Has everything up to `number` been told? Not while a resumed feed tells what we missed. */
  isComplete: boolean;
  heardAt: number;
};

type FeedsOptions = {
  cells: Pick<Cells, 'appServers'>;
  token: string;
  logger: Logger;
  /** The log of this key has changed. */
  onChange: (key: string) => void;
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

  /** Believes nothing that was read until now: something could not be invalidated, or a change may not have been told. */
  distrustAll(): void {
    for (const feed of this.#feeds.values()) feed.floor = feed.number;
  }

  /** Feeds that are heard at the moment, and those that should be. */
  stats(): { live: number; wanted: number } {
    const live = [...this.#feeds.values()].filter((feed) => isLive(feed)).length;
    return { live, wanted: this.#feeds.size };
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
      const feed = { url, ending, instance: '', number: 0, floor: 0, isComplete: false, heardAt: 0 };
      this.#feeds.set(url, feed);
      const running = this.#keepOpen(feed).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
  }

  async #keepOpen(feed: Feed): Promise<void> {
    const { signal } = feed.ending;
    while (!signal.aborted) {
      try {
        await this.#followOnce(feed);
      } catch (error) {
        if (!signal.aborted) this.#options.logger.debug({ err: error, url: feed.url }, 'a change feed broke');
      }
      feed.isComplete = false;
      await delay(systemClock, RETRY_MS * (0.5 + Math.random()), signal).catch(() => undefined);
    }
  }

  async #followOnce(feed: Feed): Promise<void> {
    const url = new URL('/changes', feed.url);
    url.search = `kinds=email,mailbox&instance=${feed.instance}&after=${feed.number}`;
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
      this.#take(feed, feedLine.parse(JSON.parse(text)));
    }
    if (failure !== undefined) throw failure;
  }

  #take(feed: Feed, line: FeedLine): void {
    feed.heardAt = performance.now();
    feed.number = line.number;
    if (line.type === 'change') this.#options.onChange(line.key);
    else if (line.type === 'ping') feed.isComplete = true;
    else {
      feed.instance = line.instance;
      if (line.resumed) return;
      // Its users may have been, or may come to be, another server's: what it didn't tell matters for all.
      feed.isComplete = true;
      this.distrustAll();
    }
  }
}

function isLive(feed: Feed): boolean {
  return feed.isComplete && performance.now() - feed.heardAt < BELIEVED_MS;
}
