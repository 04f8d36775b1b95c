// The user index, asked who a sender is: one request, a deadline, a circuit breaker, and a memory of whose addresses are.
import { circuitBreaker, ConsecutiveBreaker, handleAll, type CircuitBreakerPolicy } from 'cockatiel';
import { LRUCache } from 'lru-cache';
import type { Counter } from 'prom-client';
import { Pool } from 'undici';
import { z } from 'zod';
import { bearer } from '../common/http/platform-token.ts';
import { isUserId, normalizeAddress } from '../common/keys.ts';
import type { Logger } from '../common/log.ts';
import type { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { followingHeaders } from '../common/request-id.ts';
import type { Degree, Relations } from './relations.ts';

/** A message waits no longer: the index answers in a millisecond, and what it did not say in time is made up for later. */
export const INDEX_DEADLINE_MS = 150;
/** So many failures in a row, and nobody waits for the index for a while. */
const FAILURES_TO_OPEN = 5;
const OPEN_MS = 1_000;
const MAX_CONNECTIONS = 8;
/** Most mail comes from people who are no users: they are remembered, too. An address that gets a user is nobody's for so long. */
const ADDRESS_TTL_MS = 30_000;
const MAX_ADDRESSES = 50_000;
const NOBODY = '';

const degree = z.union([z.literal(0), z.literal(1), z.literal(2), z.literal('far')]);
const degreeAnswer = z.object({ degree, isCurrent: z.literal(false).optional() });
const senderAnswer = degreeAnswer.extend({ userId: z.string().refine(isUserId).nullable() });

/** An index that has not caught up since its start does not know who became a friend lately. */
function degreeOf({ degree: found, isCurrent }: z.infer<typeof degreeAnswer>): Degree {
  return isCurrent === false ? 'unknown' : DEGREES[found];
}

const DEGREES = { 0: 'self', 1: 'friend', 2: 'friend-of-friend', far: 'none' } as const;

export type IndexRelationsOptions = {
  url: string;
  token: string;
  deadlineMs: number;
  logger: Logger;
  metrics: WorkloadMetrics;
};

export class IndexRelations implements Relations {
  readonly #options: IndexRelationsOptions;
  readonly #pool: Pool;
  /** The user whose an address is, or NOBODY. */
  readonly #addresses = new LRUCache<string, string>({ max: MAX_ADDRESSES, ttl: ADDRESS_TTL_MS });
  readonly #breaker: CircuitBreakerPolicy;
  readonly #answers: Counter<'degree'>;
  readonly #lookedUp: (isHit: boolean) => void;

  constructor(options: IndexRelationsOptions) {
    this.#options = options;
    this.#answers = options.metrics.counter(
      'index_answers_total',
      'Answers of the user index; unknown: there was none',
      ['degree'],
    );
    this.#lookedUp = options.metrics.cache('addresses');
    this.#pool = new Pool(new URL(options.url).origin, { connections: MAX_CONNECTIONS });
    this.#breaker = circuitBreaker(handleAll, {
      halfOpenAfter: OPEN_MS,
      breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
    });
    this.#breaker.onBreak((reason) =>
      options.logger.warn(
        { err: 'error' in reason ? reason.error : undefined },
        'the user index is away: mail is filed without it',
      ),
    );
    this.#breaker.onReset(() => options.logger.info('the user index is back'));
  }

  async degree(userId: string, senderAddress: string): Promise<Degree> {
    const address = normalizeAddress(senderAddress);
    if (address === undefined) return 'none';
    const known = this.#addresses.get(address);
    this.#lookedUp(known !== undefined);
    if (known === NOBODY) return 'none';
    let answer: Degree = 'unknown';
    try {
      answer = await this.#breaker.execute(() => this.#ask(userId, address, known));
    } catch (error) {
      this.#options.logger.debug({ err: error, userId }, 'the user index gave no answer');
    }
    this.#answers.inc({ degree: answer });
    return answer;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  /** @param sender the sender's user id, if it is known */
  async #ask(userId: string, address: string, sender: string | undefined): Promise<Degree> {
    if (sender !== undefined) {
      const answer = await this.#get(`/v1/degree?a=${userId}&b=${sender}`);
      return answer === undefined ? 'unknown' : degreeOf(degreeAnswer.parse(answer));
    }
    const answer = await this.#get(`/v1/sender?userId=${userId}&address=${encodeURIComponent(address)}`);
    if (answer === undefined) return 'unknown';
    const found = senderAnswer.parse(answer);
    this.#addresses.set(address, found.userId ?? NOBODY);
    return degreeOf(found);
  }

  /** @returns undefined when it can't say now: it is starting, or the sender's cell is away. That is no failure of its own. */
  async #get(path: string): Promise<unknown> {
    const { token, deadlineMs } = this.#options;
    const { statusCode, body } = await this.#pool.request({
      method: 'GET',
      path,
      headers: { authorization: bearer(token), ...followingHeaders() },
      signal: AbortSignal.timeout(deadlineMs),
    });
    if (statusCode === 200) return body.json();
    await body.dump();
    if (statusCode === 503) return undefined;
    throw new Error(`the user index answers ${statusCode}`);
  }
}
