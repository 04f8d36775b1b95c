// Keeps a Directory up to date from discovery's stream, over as many connections as that takes.
import { createInterface } from 'node:readline';
import { request } from 'undici';
import type { Clock } from '../clock.ts';
import type { Verdict } from '../http/health.ts';
import { bearer } from '../http/platform-token.ts';
import type { Logger } from '../log.ts';
import { NumberMap } from '../number-map.ts';
import { Pulse } from '../pulse.ts';
import { Directory } from './directory.ts';
import { directoryMessage, PING_MS } from './directory-messages.ts';
import { Unavailable } from './errors.ts';

const SILENCE_MS = 3 * PING_MS;
/** A replica that hangs is left for another: the answer begins within this time, or at the next try within twice the time. */
const FIRST_ANSWER_MS = 2_000;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

export class DirectoryFollower {
  readonly directory = new Directory();
  readonly #url: string;
  readonly #token: string;
  readonly #logger: Logger;
  readonly #ending = new AbortController();
  readonly #listeners = new NumberMap<() => void>();
  readonly #running: Promise<void>;
  readonly #pulse: Pulse;
  #known = false;
  #problem = 'not connected yet';

  constructor(options: { discoveryUrl: string; token: string; logger: Logger; clock?: Clock }) {
    this.#url = `${options.discoveryUrl.replace(/\/+$/, '')}/v1/watch`;
    this.#token = options.token;
    this.#logger = options.logger;
    this.#pulse = new Pulse('following discovery', options.clock);
    this.#running = this.#run();
  }

  /** True once a snapshot has come; it goes on being true when discovery is away. */
  get known(): boolean {
    return this.#known;
  }

  /** Not well when it neither hears of discovery nor tries to. */
  health(): Verdict {
    return this.#pulse.health();
  }

  /** Calls after each change; returns what takes the listener off again. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Resolves at the next change or after so long, whichever comes first. Rejects with the signal's reason. */
  changed(withinMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        off();
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        finish();
        reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      const timer = setTimeout(finish, Math.max(0, withinMs));
      const off = this.onChange(finish);
      if (signal?.aborted) reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Waits for the first snapshot. @throws Unavailable after the deadline */
  async ready(deadlineMs: number, signal?: AbortSignal): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (!this.#known) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Unavailable(`Discovery can't be reached at ${this.#url}: ${this.#problem}`);
      await this.changed(leftMs, signal);
    }
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    let answerMs = FIRST_ANSWER_MS;
    while (!this.#ending.signal.aborted) {
      this.#pulse.beat();
      try {
        await this.#followOnce(answerMs, () => {
          retryMs = FIRST_RETRY_MS;
          answerMs = FIRST_ANSWER_MS;
        });
        this.#problem = 'the stream ended';
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        this.#problem = error instanceof Error ? error.message : String(error);
        this.#logger.warn({ discovery: this.#url, problem: this.#problem }, 'the stream of discovery broke');
      }
      // Not all at once when discovery comes back.
      await pause(retryMs * (0.5 + Math.random()), this.#ending.signal);
      retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2);
      answerMs = Math.min(SILENCE_MS, answerMs * 2);
    }
  }

  /** @param answerMs how long it may take until the answer begins */
  async #followOnce(answerMs: number, onMessage: () => void): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${answerMs} ms`)), answerMs);
    const response = await request(this.#url, {
      headers: { authorization: bearer(this.#token) },
      signal: AbortSignal.any([this.#ending.signal, late.signal]),
      headersTimeout: SILENCE_MS,
      bodyTimeout: SILENCE_MS,
    }).finally(() => clearTimeout(timer));
    if (response.statusCode !== 200) {
      const text = await response.body.text();
      throw new Error(`it answers ${response.statusCode}: ${text.slice(0, 200)}`);
    }
    // Stream errors come out of the loop: readline passes on none by itself.
    let failure: unknown;
    response.body.once('error', (error) => {
      failure = error;
    });
    for await (const line of createInterface({ input: response.body, crlfDelay: Infinity })) {
      const message = directoryMessage.parse(JSON.parse(line));
      onMessage();
      this.#pulse.beat();
      if (message.type === 'ping') continue;
      this.directory.apply(message);
      if (message.type === 'snapshot') this.#known = true;
      for (const listener of this.#listeners.values()) listener();
    }
    if (failure !== undefined) throw failure;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
