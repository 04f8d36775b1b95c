// What is asked of discovery itself, over HTTP: changes, and the one answer that must not be an old one.
import { setTimeout as delay } from 'node:timers/promises';
import { Client, request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { bearer } from '../http/platform-token.ts';
import type { HedgeOutcome, RetryResult, WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { followingHeaders } from '../request-id.ts';
import { BucketMap } from './buckets.ts';
import type { CellRecord } from './directory-messages.ts';
import { Unavailable, UnexpectedAnswer } from './errors.ts';
import { AnswerTimes, hedged } from './hedge.ts';
import { mapSummary, type MapSummary } from './map-summary.ts';
import { RetryBudget } from './retry-budget.ts';
import { wasNotSent } from './verdict.ts';

const DEADLINE_MS = 15_000;
/** Somebody waits for each answer about a key. */
const QUESTION_DEADLINE_MS = 3_000;
const RETRY_MS = 200;
/** A replica answers from memory, within milliseconds. */
const SLOW_MS = 150;
/** Tries under way at once for one question: each goes over a connection of its own, and of two replicas it may meet the same one again. */
const MAX_TRIES = 3;

const problem = z.object({ detail: z.string() });
const exceptionList = z.object({
  exceptions: z.array(
    z.object({
      key: z.string(),
      cell: z.string(),
      moving: z.boolean().default(false),
      /** Its log is being ended in the cell, and goes on in this one. */
      to: z.string().optional(),
    }),
  ),
});
type ExceptionList = z.infer<typeof exceptionList>['exceptions'];
const whereAnswers = z.object({ answers: z.array(z.object({ cell: z.string().optional() })) });
type Ask = {
  method: Dispatcher.HttpMethod;
  path: string;
  body: unknown;
  isFurther: boolean;
  signal: AbortSignal;
};
type Answer = { status: number; text: string };
export type BucketChange = { bucket: number; from: string; to: string };

export class DiscoveryClient {
  readonly #url: string;
  readonly #token: string;
  readonly #budget = new RetryBudget();
  readonly #times = new AnswerTimes(SLOW_MS);
  readonly #hedged: ((outcome: HedgeOutcome) => void) | undefined;
  readonly #retried: ((result: RetryResult) => void) | undefined;

  constructor(discoveryUrl: string, token: string, metrics?: WorkloadMetrics) {
    this.#url = discoveryUrl.replace(/\/+$/, '');
    this.#token = token;
    this.#hedged = metrics?.hedges('discovery');
    this.#retried = metrics?.retries('discovery');
  }

  /** Adds a cell or changes it. @throws Unavailable, UnexpectedAnswer */
  async putCell(name: string, record: Omit<CellRecord, 'name'>): Promise<void> {
    await this.#ask('PUT', `/v1/cells/${encodeURIComponent(name)}`, [200, 201], record);
  }

  /** Sees to it that a key's bucket belongs to a cell: to that of the key `near`, if it can. @throws Unavailable when no cell takes new users */
  async assign(key: string, near?: string): Promise<void> {
    await this.#ask('POST', '/v1/assign', [200], { key, near });
  }

  /** Which cell each bucket belongs to. @throws Unavailable */
  async map(): Promise<BucketMap> {
    const { text } = await this.#ask('GET', '/v1/map', [200]);
    return BucketMap.decode(JSON.parse(text));
  }

  /** The map for people. @throws Unavailable */
  async summary(): Promise<MapSummary> {
    const { text } = await this.#ask('GET', '/v1/summary', [200]);
    return mapSummary.parse(JSON.parse(text));
  }

  /** The exceptions as they are stored now. @throws Unavailable */
  async exceptions(): Promise<ExceptionList> {
    const { text } = await this.#ask('GET', '/v1/exceptions', [200]);
    return exceptionList.parse(JSON.parse(text)).exceptions;
  }

  /**
   * Says that a key is in a cell, whatever its bucket says.
   * @param moving it is on its way to the cell of its bucket
   * @param from only if it was in this cell (or is where it shall be)
   * @throws Unavailable, UnexpectedAnswer
   */
  async putException(key: string, cell: string, moving: boolean, from?: string): Promise<void> {
    const path = exceptionPath(key, from);
    await this.#ask('PUT', path, [200], { cell, ...(moving && { moving }) });
  }

  /** The key is in the cell of its bucket. @param from only if it was in this cell @throws Unavailable, UnexpectedAnswer */
  async deleteException(key: string, from?: string): Promise<void> {
    await this.#ask('DELETE', exceptionPath(key, from), [204]);
  }

  /**
   * Notes that the log of a key is about to be ended in a cell and goes on in another: should whoever ends it die, discovery
   * finishes the move. A changed place of the key takes the note away.
   * @throws Unavailable; UnexpectedAnswer when the key is not in the cell
   */
  async noteMove(key: string, from: string, to: string): Promise<void> {
    await this.#ask('PUT', `/v1/moves/${encodeURIComponent(key)}`, [200], { from, to });
  }

  /** Takes that back, if it is noted. @throws Unavailable */
  async forgetMove(key: string): Promise<void> {
    await this.#ask('DELETE', `/v1/moves/${encodeURIComponent(key)}`, [204]);
  }

  /** Gives buckets to other cells, all or none. @throws Unavailable, UnexpectedAnswer */
  async changeBuckets(changes: readonly BucketChange[]): Promise<void> {
    await this.#ask('POST', '/v1/buckets', [200], { changes });
  }

  /** The cell that has a key, by discovery itself. @returns undefined for none @throws Unavailable */
  async cellOf(key: string): Promise<string | undefined> {
    const path = '/v1/where';
    const { text } = await this.#ask('POST', path, [200], { keys: [key] }, QUESTION_DEADLINE_MS, true);
    return whereAnswers.parse(JSON.parse(text)).answers[0]?.cell;
  }

  /** @throws Unavailable when discovery does not answer */
  async isUnassigned(key: string): Promise<boolean> {
    // 503: assigned, and not served at the moment.
    const path = `/v1/where?key=${encodeURIComponent(key)}`;
    const { status } = await this.#ask('GET', path, [200, 404, 503], undefined, QUESTION_DEADLINE_MS);
    return status === 404;
  }

  /**
   * Every request here may be repeated: it says what shall be, not what shall change.
   * @param isQuestion whether it changes nothing: then another replica is asked, too, when the first is slow
   * @returns the status and the body
   */
  async #ask(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    expected: number[],
    body?: unknown,
    deadlineMs = DEADLINE_MS,
    isQuestion = method === 'GET',
  ): Promise<Answer> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const leftMs = deadline - performance.now();
      let why: string;
      try {
        const late = AbortSignal.timeout(Math.max(1, Math.ceil(leftMs)));
        this.#budget.earn();
        const { status, text } = await hedged({
          attempt: (index, ending) =>
            this.#send({ method, path, body, isFurther: index > 0, signal: AbortSignal.any([late, ending]) }),
          isAnswer: (answer) => expected.includes(answer.status) || answer.status !== 503,
          times: this.#times,
          most: isQuestion ? MAX_TRIES : 1,
          mayTry: () => this.#budget.take(),
          onHedge: this.#hedged,
        });
        if (expected.includes(status)) return { status, text };
        if (status !== 503) throw new UnexpectedAnswer(`${method} ${path}`, status, detailOf(text));
        why = detailOf(text);
      } catch (error) {
        if (error instanceof UnexpectedAnswer) throw error;
        why = wasNotSent(error) ? `nobody answers at ${this.#url}` : String(error);
      }
      if (deadline - performance.now() < RETRY_MS) throw new Unavailable(`Discovery: ${why}`);
      await delay(RETRY_MS);
      this.#retried?.('made');
    }
  }

  /** @param isFurther over a new connection: behind a Service it may come to another replica */
  async #send({ method, path, body, isFurther, signal }: Ask): Promise<Answer> {
    const own = isFurther ? new Client(new URL(this.#url).origin) : undefined;
    try {
      const response = await request(this.#url + path, {
        method,
        headers: {
          authorization: bearer(this.#token),
          ...followingHeaders(),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal,
        ...(own && { dispatcher: own }),
      });
      return { status: response.statusCode, text: await response.body.text() };
    } finally {
      await own?.destroy();
    }
  }
}

function exceptionPath(key: string, from: string | undefined): string {
  return `/v1/exceptions/${encodeURIComponent(key)}${from === undefined ? '' : `?from=${from}`}`;
}

function detailOf(text: string): string {
  try {
    return problem.parse(JSON.parse(text)).detail;
  } catch {
    return text;
  }
}
