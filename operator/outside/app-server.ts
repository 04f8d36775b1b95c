// How an app server answers its callers, from its metrics.
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import type { Answers, AnswersOfServer, Share } from '../cell/roll/facts.ts';

const TIMEOUT_MS = 3_000;
/** What counts as lately. Two looks within one reconcile need no memory from one reconcile to the next. */
const WINDOW_MS = 2_000;
/** A server that is busy for a moment is asked again; one that does not tell shuts a gate. */
const TRIES = 3;
const TRY_AGAIN_MS = 500;
const REQUESTS = 'cellpost_app_server_http_requests_total';
const CALLS = 'cellpost_app_server_jmap_method_duration_seconds_count';
const TIMES = 'cellpost_app_server_jmap_method_duration_seconds_bucket';
/** The method as which deliveries over channels are counted; a channel is one HTTP request, answered 101, whatever fails in it. */
const DELIVERY = 'Delivery/channel';
/** Results that are the server's fault; others are the caller's, or say who else serves the user. */
const FAULTS: ReadonlySet<string> = new Set(['serverFail', 'serverUnavailable']);
const P99 = 0.99;

/** Counters of a server; `times`: calls by upper bound of their time in seconds. */
export type Counters = { requests: Share; calls: Share; deliveries: Share; times: Map<number, number> };

/** @returns undefined when it does not answer */
export async function askAppServer(url: string): Promise<AnswersOfServer | undefined> {
  try {
    return await askBy(() => scrape(url));
  } catch {
    return undefined;
  }
}

/** @param read gives the metrics as text @throws what it throws, after some tries */
export async function askBy(read: () => Promise<string>): Promise<AnswersOfServer> {
  const before = await countersBy(read);
  await delay(WINDOW_MS);
  const now = await countersBy(read);
  return { lately: answersOf(now, before), everSince: answersOf(now) };
}

async function countersBy(read: () => Promise<string>): Promise<Counters> {
  for (let tried = 1; ; tried++) {
    try {
      return parseCounters(await read());
    } catch (error) {
      if (tried === TRIES) throw error;
      await delay(TRY_AGAIN_MS);
    }
  }
}

async function scrape(url: string): Promise<string> {
  const { statusCode, body } = await request(`${url}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
  return text;
}

/** Reads the text format of Prometheus, as far as these metrics need it. */
export function parseCounters(text: string): Counters {
  const none = (): Share => ({ answered: 0, failed: 0 });
  const counters: Counters = { requests: none(), calls: none(), deliveries: none(), times: new Map() };
  const count = (share: Share, value: number, failed: boolean): void => {
    share.answered += value;
    if (failed) share.failed += value;
  };
  for (const line of text.split('\n')) {
    const value = Number(line.slice(line.lastIndexOf(' ') + 1));
    if (line.startsWith(`${REQUESTS}{`)) {
      count(counters.requests, value, labelOf(line, 'status').startsWith('5'));
    } else if (line.startsWith(`${CALLS}{`)) {
      const kind = labelOf(line, 'method') === DELIVERY ? counters.deliveries : counters.calls;
      count(kind, value, FAULTS.has(labelOf(line, 'result')));
    } else if (line.startsWith(`${TIMES}{`)) {
      const bound = labelOf(line, 'le');
      const seconds = bound === '+Inf' ? Infinity : Number(bound);
      counters.times.set(seconds, (counters.times.get(seconds) ?? 0) + value);
    }
  }
  return counters;
}

/** Values of these labels hold no quotes. */
const labelOf = (line: string, label: string): string =>
  new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1] ?? '';

/** What was answered between two looks; since the start when there was no look before. */
export function answersOf(now: Counters, before?: Counters): Answers {
  const bounds = [...now.times.keys()].toSorted((a, b) => a - b);
  const count = (bound: number): number => (now.times.get(bound) ?? 0) - (before?.times.get(bound) ?? 0);
  const since = (kind: 'requests' | 'calls' | 'deliveries'): Share => ({
    answered: now[kind].answered - (before?.[kind].answered ?? 0),
    failed: now[kind].failed - (before?.[kind].failed ?? 0),
  });
  const all = count(Infinity);
  const p99 = all === 0 ? 0 : (bounds.find((bound) => count(bound) >= all * P99) ?? Infinity);
  return {
    requests: since('requests'),
    calls: since('calls'),
    deliveries: since('deliveries'),
    p99Ms: p99 * 1_000,
  };
}
