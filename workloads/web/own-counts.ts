// GET /counts: what is unread in the inbox of who asks, and what of it is new. From the counts service where there is one, so that
// pages in the background cost no app server; from the user's app server when that service is away, or behind what the page
// has heard already.
import type { Request } from 'express';
import { request } from 'undici';
import { z } from 'zod';
import { parseStateString, seqOf } from '../app-server/image/ids.ts';
import { bearer } from '../common/http/platform-token.ts';
import { followingHeaders } from '../common/request-id.ts';

/** It answers from memory, mostly: the app server is the better one to wait for. */
const DEADLINE_MS = 300;
/** A service that is away is not asked again for so long. */
const PAUSE_MS = 1_000;

const answer = z.object({
  counts: z.record(
    z.string(),
    z.object({ unread: z.number(), unseen: z.number(), seq: z.number().int().min(0) }),
  ),
});

/** What an app server answers to the call below. */
const jmapAnswer = z.object({
  methodResponses: z.tuple([
    z.tuple([
      z.literal('Counts/get'),
      z.object({ list: z.tuple([z.object({ unread: z.number(), unseen: z.number() })]) }),
      z.string(),
    ]),
  ]),
});

export type OwnCounts = { unread: number; unseen: number };

/** @param url of the counts service; undefined: there is none */
export class CountsService {
  readonly #url: string | undefined;
  readonly #token: string;
  #notBefore = 0;

  constructor(url: string | undefined, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** @param since the entry of the user's log that the counts must know @returns undefined when it can't tell in time */
  async ask(userId: string, since: number): Promise<OwnCounts | undefined> {
    if (this.#url === undefined || performance.now() < this.#notBefore) return undefined;
    try {
      const response = await request(new URL(`/counts?users=${userId}`, this.#url), {
        headers: { authorization: bearer(this.#token), ...followingHeaders() },
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      if (response.statusCode !== 200) {
        await response.body.dump();
        throw new Error(`it answers ${response.statusCode}`);
      }
      const counts = answer.parse(await response.body.json()).counts[userId];
      return counts && counts.seq >= since ? { unread: counts.unread, unseen: counts.unseen } : undefined;
    } catch {
      this.#notBefore = performance.now() + PAUSE_MS;
      return undefined;
    }
  }
}

/** `state`: of the type Counts, as push told it. What is no state asks for nothing in particular. */
export function sinceOf({ query }: Request): number {
  const state = typeof query.state === 'string' ? parseStateString(query.state) : undefined;
  return state === undefined ? 0 : seqOf(state);
}

/** The call that asks an app server. */
export const countsCall = (userId: string): string =>
  JSON.stringify({
    using: ['urn:ietf:params:jmap:core', 'urn:cellpost:counts'],
    methodCalls: [['Counts/get', { accountId: userId, properties: ['unread', 'unseen'] }, '0']],
  });

/** @throws ZodError for an app server of a version that knows no counts */
export function countsOf(body: unknown): OwnCounts {
  const [[, { list }]] = jmapAnswer.parse(body).methodResponses;
  return { unread: list[0].unread, unseen: list[0].unseen };
}
