// Follows the change feeds of all app servers of all cells, and asks the cells' logs after each absence, as
// docs/change-feed.md says: whoever uses it hears of each change at least once.
import { createInterface } from 'node:readline';
import { request } from 'undici';
import type { Cells } from '../cell-client/cells.ts';
import type { Clock } from '../clock.ts';
import type { Verdict } from '../http/health.ts';
import { bearer } from '../http/platform-token.ts';
import type { Logger } from '../log.ts';
import { allWell, Pulse } from '../pulse.ts';
import { changedKeys, feedLine, PING_MS, type ChangeKind } from './feed-lines.ts';

/** Clocks of servers differ, and an entry's time is taken before it is stored: so much earlier is asked for. */
const MARGIN_MS = 60_000;
const SILENCE_MS = 3 * PING_MS;
const RETRY_MS = 250;
/** Of a page of changed keys that has begun. */
const PAGE_SILENCE_MS = 10_000;
const TICK_MS = 500;

export type FeedFollowerOptions = {
  cells: Pick<Cells, 'appServers' | 'requestCell'>;
  token: string;
  logger: Logger;
  kinds: readonly ChangeKind[];
  /** From before, by cell: everything up to this time is known. */
  watermarks?: ReadonlyMap<string, number>;
  /** Look at this log: it has changed, or may have. */
  onChange: (key: string) => void;
  /** Has everything that was told been dealt with? Watermarks wait for it. */
  isSettled: () => boolean;
  clock?: Clock;
};

type Stream = {
  cell: string;
  url: string;
  ending: AbortController;
  instance: string;
  number: number;
  isAlive: boolean;
  pulse: Pulse;
};

type CellState = {
  /** Everything up to this time is known. */
  watermarkMs: number;
  /** Something may have been missed. */
  isBehind: boolean;
  asking: Promise<void> | undefined;
  pulse: Pulse;
};

export class FeedFollower {
  readonly #options: FeedFollowerOptions;
  readonly #streams = new Map<string, Stream>();
  readonly #cells = new Map<string, CellState>();
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #ticks: NodeJS.Timeout;

  constructor(options: FeedFollowerOptions) {
    this.#options = options;
    for (const [cell, watermarkMs] of options.watermarks ?? [])
      this.#cells.set(cell, this.#newState(cell, watermarkMs));
    this.#ticks = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  /** By cell: everything up to this time is known. */
  watermarks(): Map<string, number> {
    return new Map([...this.#cells].map(([cell, { watermarkMs }]) => [cell, watermarkMs]));
  }

  /** Was everything of each cell heard once, since this began? A cell whose servers are all away is not waited for. */
  get isCurrent(): boolean {
    // Asked of the map itself: what it shows since the last look is not followed yet.
    const served = new Set(this.#options.cells.appServers().map(({ cell }) => cell));
    return [...served].every((cell) => this.#cells.get(cell)?.isBehind === false);
  }

  /** Not well when a feed is neither heard nor tried, or a cell's changes are asked without an end. */
  health(): Verdict {
    return allWell([...this.#streams.values(), ...this.#cells.values()].map(({ pulse }) => pulse));
  }

  async close(): Promise<void> {
    clearInterval(this.#ticks);
    this.#ending.abort();
    for (const { ending } of this.#streams.values()) ending.abort();
    await Promise.all(this.#running);
  }

  #tick(): void {
    const servers = this.#options.cells.appServers();
    const present = new Set(servers.map(({ url }) => url));
    for (const { cell, url } of servers) {
      if (this.#streams.has(url)) continue;
      const ending = new AbortController();
      const pulse = this.#newPulse(`following ${url}`);
      const stream = { cell, url, ending, instance: '', number: 0, isAlive: false, pulse };
      this.#streams.set(url, stream);
      this.#stateOf(cell).isBehind = true;
      this.#run(this.#keepOpen(stream));
    }
    for (const [url, stream] of this.#streams) {
      if (present.has(url)) continue;
      stream.ending.abort();
      this.#streams.delete(url);
      // What it appended at last, it may not have told.
      this.#stateOf(stream.cell).isBehind = true;
    }
    for (const [cell, state] of this.#cells) this.#advance(cell, state);
  }

  #advance(cell: string, state: CellState): void {
    const streams = [...this.#streams.values()].filter((stream) => stream.cell === cell);
    if (streams.length === 0 || !streams.every(({ isAlive }) => isAlive) || state.asking) return;
    if (state.isBehind) {
      state.asking = this.#catchUp(cell, state).finally(() => (state.asking = undefined));
      this.#run(state.asking);
    } else if (this.#options.isSettled()) state.watermarkMs = Date.now();
  }

  #stateOf(cell: string): CellState {
    const state = this.#cells.get(cell) ?? this.#newState(cell, 0);
    this.#cells.set(cell, state);
    return state;
  }

  #newState(cell: string, watermarkMs: number): CellState {
    const pulse = this.#newPulse(`asking what has changed in ${cell}`);
    return { watermarkMs, isBehind: true, asking: undefined, pulse };
  }

  #newPulse(what: string): Pulse {
    return new Pulse(what, this.#options.clock);
  }

  /** Asks which logs have changed since the watermark. All streams are open by now: what changes meanwhile, they tell. */
  async #catchUp(cell: string, state: CellState): Promise<void> {
    state.isBehind = false;
    try {
      const since = Math.max(0, state.watermarkMs - MARGIN_MS);
      for (let after: string | null = ''; after !== null;) {
        state.pulse.beat();
        const more: string = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
        const response = await this.#options.cells.requestCell(cell, {
          method: 'GET',
          path: `/changes/keys?since=${since}${more}`,
          idempotent: true,
          bodyTimeoutMs: PAGE_SILENCE_MS,
          signal: this.#ending.signal,
        });
        if (response.status !== 200) {
          await response.body.dump();
          throw new Error(`it answers ${response.status}`);
        }
        const page = changedKeys.parse(await response.json());
        for (const { key } of page.changed) this.#options.onChange(key);
        after = page.after;
      }
    } catch (error) {
      state.isBehind = true;
      if (!this.#ending.signal.aborted)
        this.#options.logger.warn({ err: error, cell }, 'what has changed in a cell could not be asked');
    } finally {
      state.pulse.rest();
    }
  }

  async #keepOpen(stream: Stream): Promise<void> {
    while (!stream.ending.signal.aborted) {
      stream.pulse.beat();
      try {
        await this.#followOnce(stream);
      } catch (error) {
        if (!stream.ending.signal.aborted)
          this.#options.logger.debug({ err: error, url: stream.url }, 'a change feed broke');
      }
      stream.isAlive = false;
      await pause(RETRY_MS * (0.5 + Math.random()), stream.ending.signal);
    }
  }

  async #followOnce(stream: Stream): Promise<void> {
    const { kinds, token, onChange } = this.#options;
    const url = new URL('/changes', stream.url);
    url.search = `kinds=${kinds.join(',')}&instance=${stream.instance}&after=${stream.number}`;
    const response = await request(url, {
      headers: { authorization: bearer(token) },
      signal: stream.ending.signal,
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
      const line = feedLine.parse(JSON.parse(text));
      if (line.type === 'change') onChange(line.key);
      if (line.type === 'hello') {
        if (!line.resumed) this.#stateOf(stream.cell).isBehind = true;
        stream.instance = line.instance;
      }
      stream.number = line.number;
      stream.isAlive = true;
      stream.pulse.beat();
    }
    if (failure !== undefined) throw failure;
  }

  #run(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
