// The platform's own say about a message: a question over HTTP, with a deadline, answers that are kept as long as they say,
// and an answer of its own when nobody answers.
import { circuitBreaker, ConsecutiveBreaker, handleAll, type CircuitBreakerPolicy } from 'cockatiel';
import { LRUCache } from 'lru-cache';
import { request } from 'undici';
import { z } from 'zod';
import type { Authentication } from '../../common/mail-auth/authentication.ts';
import type { Logger } from '../../common/log.ts';
import type { Stopwatch } from '../../common/metrics/durations.ts';
import { inSpan } from '../../common/tracing.ts';
import { POLICY_ACTIONS, type PolicyAction } from './actions.ts';

/** Answers that are kept; a question has up to 1,000 recipients, but most have one. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;
const MAX_AGE_SECONDS = 3_600;
const MAX_ANSWER_BYTES = 16 * 1024;
/** So many failures in a row, and the hook is left alone for a while. */
const FAILURES_TO_OPEN = 5;
const OPEN_MS = 10_000;
/** What may stand in a reply of SMTP, before it gets too long for a line (RFC 5321 section 4.5.3.1.5). */
const MAX_TEXT_CHARS = 400;

export type PolicyAnswer = { action: PolicyAction; text: string };

export type PolicyQuestion = {
  clientAddress: string;
  helo: string;
  mailFrom: string;
  rcptTo: readonly string[];
  sizeBytes: number;
  authentication: Authentication;
};

export type PolicyHookOptions = {
  url: string;
  deadlineMs: number;
  /** The answer when the hook gives none. */
  onFailure: PolicyAction;
  logger: Logger;
  /** @param source where the answer is from */
  onAnswer: (action: PolicyAction, source: 'hook' | 'cache' | 'failure') => void;
  /** Times each question. */
  took: Stopwatch;
};

const answerSchema = z.object({ action: z.enum(POLICY_ACTIONS), text: z.string().optional() });

export class PolicyHook {
  readonly #options: PolicyHookOptions;
  readonly #kept = new LRUCache<string, PolicyAnswer>({
    maxSize: MAX_KEPT_BYTES,
    sizeCalculation: (answer, key) => key.length + answer.text.length + 1,
  });
  readonly #breaker: CircuitBreakerPolicy;

  constructor(options: PolicyHookOptions) {
    this.#options = options;
    this.#breaker = circuitBreaker(handleAll, {
      halfOpenAfter: OPEN_MS,
      breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
    });
  }

  /** Never rejects. */
  async ask(question: PolicyQuestion): Promise<PolicyAnswer> {
    const startedAt = performance.now();
    const answer = await inSpan('policy', () => this.#ask(question));
    this.#options.took.since(startedAt);
    return answer;
  }

  async #ask(question: PolicyQuestion): Promise<PolicyAnswer> {
    const { logger, onAnswer, onFailure } = this.#options;
    const key = keyOf(question);
    const kept = this.#kept.get(key);
    if (kept) {
      onAnswer(kept.action, 'cache');
      return kept;
    }
    try {
      const { answer, maxAgeSeconds } = await this.#breaker.execute(() => this.#request(question));
      if (maxAgeSeconds > 0) this.#kept.set(key, answer, { ttl: maxAgeSeconds * 1_000 });
      onAnswer(answer.action, 'hook');
      return answer;
    } catch (error) {
      logger.warn({ err: error }, 'the policy hook gave no answer');
      onAnswer(onFailure, 'failure');
      return { action: onFailure, text: '' };
    }
  }

  async #request(question: PolicyQuestion): Promise<{ answer: PolicyAnswer; maxAgeSeconds: number }> {
    const { url, deadlineMs } = this.#options;
    const { statusCode, headers, body } = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(question),
      signal: AbortSignal.timeout(deadlineMs),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) throw new Error(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
    if (statusCode !== 200) throw new Error(`it answers ${statusCode}`);
    const { action, text = '' } = answerSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    return { answer: { action, text: printable(text) }, maxAgeSeconds: maxAgeOf(headers['cache-control']) };
  }
}

/** An answer that may be kept is one about people and places: it holds for messages of any size. */
function keyOf({ clientAddress, mailFrom, rcptTo, authentication }: PolicyQuestion): string {
  return JSON.stringify([clientAddress, mailFrom, rcptTo, authentication]);
}

/** RFC 9111 section 5.2.2.1. */
function maxAgeOf(header: string | string[] | undefined): number {
  const text = [header ?? ''].flat().join(',').toLowerCase();
  if (/\bno-(?:store|cache)\b/.test(text)) return 0;
  const seconds = /(?:^|[\s,])max-age=(\d{1,9})/.exec(text)?.[1];
  return Math.min(MAX_AGE_SECONDS, Number(seconds ?? 0));
}

/** Printable ASCII, on one line. */
function printable(text: string): string {
  return text
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, MAX_TEXT_CHARS);
}
