// What an attempt's outcome means for the next one. Pure.
import { z } from 'zod';

export type Verdict =
  /** The server did nothing. Another owner, if it named one, else wait a moment. */
  | { kind: 'elsewhere'; owner?: { name: string; url: string; ringVersion: number }; waitMs: number }
  /** The server did nothing and can't now. */
  | { kind: 'later'; waitMs: number }
  /** It may have taken effect. */
  | { kind: 'unknown' };

/** Nothing is waited for longer than that between two attempts: the ring mostly changes sooner. */
const LONGEST_WAIT_MS = 1_000;
/** What a server that names no time is given. */
const USUAL_WAIT_MS = 100;

const problem = z.object({
  type: z.string().default('about:blank'),
  owner: z.object({ name: z.string(), url: z.url() }).optional(),
  ringVersion: z.number().default(0),
  retryAfterMs: z.number().nonnegative().optional(),
});

/** @param body the whole body of a 421 or 503 as text */
export function judgeRefusal(status: 421 | 503, retryAfter: string | undefined, body: string): Verdict {
  const { type, owner, ringVersion, retryAfterMs } = parseProblem(body);
  const namedMs = retryAfterMs ?? (retryAfter === undefined ? USUAL_WAIT_MS : Number(retryAfter) * 1000);
  const waitMs = Math.min(LONGEST_WAIT_MS, Number.isFinite(namedMs) ? namedMs : USUAL_WAIT_MS);
  if (status === 421)
    return { kind: 'elsewhere', waitMs, ...(owner && { owner: { ...owner, ringVersion } }) };
  // Any other 503 says nothing about what was done before it.
  return type === 'urn:cellpost:error:unavailable' ? { kind: 'later', waitMs } : { kind: 'unknown' };
}

function parseProblem(body: string): z.infer<typeof problem> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = {};
  }
  return problem.safeParse(value).data ?? { type: 'about:blank', ringVersion: 0 };
}

/** Errors of connecting: not a byte of the request was sent. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** True when a request that failed so can't have reached the server. */
export function wasNotSent(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(wasNotSent);
  return error instanceof Error && 'code' in error && NOT_SENT.has(String(error.code));
}
