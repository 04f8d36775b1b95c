// What is asked of discovery itself, over HTTP: changes, and the one answer that must not be an old one.
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { z } from 'zod';
import { bearer } from '../http/platform-token.ts';
import type { CellRecord } from './directory-messages.ts';
import { Unavailable, UnexpectedAnswer } from './errors.ts';
import { wasNotSent } from './verdict.ts';

const DEADLINE_MS = 15_000;
/** Somebody waits for each answer about a key. */
const QUESTION_DEADLINE_MS = 3_000;
const RETRY_MS = 200;

const problem = z.object({ detail: z.string() });

export class DiscoveryClient {
  readonly #url: string;
  readonly #token: string;

  constructor(discoveryUrl: string, token: string) {
    this.#url = discoveryUrl.replace(/\/+$/, '');
    this.#token = token;
  }

  /** Adds a cell or changes it. @throws Unavailable, UnexpectedAnswer */
  async putCell(name: string, record: Omit<CellRecord, 'name'>): Promise<void> {
    await this.#ask('PUT', `/v1/cells/${encodeURIComponent(name)}`, [200, 201], record);
  }

  /** Sees to it that a key's bucket belongs to a cell. @throws Unavailable when no cell takes new users */
  async assign(key: string): Promise<void> {
    await this.#ask('POST', '/v1/assign', [200], { key });
  }

  /** @throws Unavailable when discovery does not answer */
  async isUnassigned(key: string): Promise<boolean> {
    // 503: assigned, and not served at the moment.
    const path = `/v1/where?key=${encodeURIComponent(key)}`;
    return (await this.#ask('GET', path, [200, 404, 503], undefined, QUESTION_DEADLINE_MS)) === 404;
  }

  /** Every request here may be repeated: it says what shall be, not what shall change. @returns the status */
  async #ask(
    method: 'GET' | 'PUT' | 'POST',
    path: string,
    expected: number[],
    body?: unknown,
    deadlineMs = DEADLINE_MS,
  ): Promise<number> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const leftMs = deadline - performance.now();
      let why: string;
      try {
        const response = await request(this.#url + path, {
          method,
          headers: {
            authorization: bearer(this.#token),
            ...(body !== undefined && { 'content-type': 'application/json' }),
          },
          body: body === undefined ? null : JSON.stringify(body),
          signal: AbortSignal.timeout(Math.max(1, Math.ceil(leftMs))),
        });
        const text = await response.body.text();
        if (expected.includes(response.statusCode)) return response.statusCode;
        if (response.statusCode !== 503)
          throw new UnexpectedAnswer(`${method} ${path}`, response.statusCode, detailOf(text));
        why = detailOf(text);
      } catch (error) {
        if (error instanceof UnexpectedAnswer) throw error;
        why = wasNotSent(error) ? `nobody answers at ${this.#url}` : String(error);
      }
      if (deadline - performance.now() < RETRY_MS) throw new Unavailable(`Discovery: ${why}`);
      await delay(RETRY_MS);
    }
  }
}

function detailOf(text: string): string {
  try {
    return problem.parse(JSON.parse(text)).detail;
  } catch {
    return text;
  }
}
