// How an app server answers its callers, from its metrics.
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import type { Answers } from '../cell/roll/facts.ts';

const TIMEOUT_MS = 3_000;
/** What counts as lately. Two looks within one reconcile need no memory from one reconcile to the next. */
const WINDOW_MS = 2_000;
const REQUESTS = 'cellpost_app_server_http_requests_total';
const CALLS = 'cellpost_app_server_jmap_method_duration_seconds_bucket';
const P99 = 0.99;

/** Counters of a server: requests, those answered with 5xx, and calls by upper bound of their time in seconds. */
export type Counters = { requests: number; errors: number; calls: Map<number, number> };

/** @returns undefined when it does not answer */
export async function askAppServer(
  url: string,
): Promise<{ lately: Answers; everSince: Answers } | undefined> {
  try {
    const before = await scrape(url);
    await delay(WINDOW_MS);
    const now = await scrape(url);
    return { lately: answersOf(now, before), everSince: answersOf(now) };
  } catch {
    return undefined;
  }
}

async function scrape(url: string): Promise<Counters> {
  const { statusCode, body } = await request(`${url}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
  return parseCounters(text);
}

/** Reads the text format of Prometheus, as far as these two metrics need it. */
export function parseCounters(text: string): Counters {
  const counters: Counters = { requests: 0, errors: 0, calls: new Map() };
  for (const line of text.split('\n')) {
    const value = Number(line.slice(line.lastIndexOf(' ') + 1));
    if (line.startsWith(`${REQUESTS}{`)) {
      counters.requests += value;
      if (/status="5\d\d"/.test(line)) counters.errors += value;
    } else if (line.startsWith(`${CALLS}{`)) {
      const bound = /le="(?<le>[^"]+)"/.exec(line)?.groups?.le ?? '';
      const seconds = bound === '+Inf' ? Infinity : Number(bound);
      counters.calls.set(seconds, (counters.calls.get(seconds) ?? 0) + value);
    }
  }
  return counters;
}

/** What was answered between two looks; since the start when there was no look before. */
export function answersOf(now: Counters, before?: Counters): Answers {
  const bounds = [...now.calls.keys()].toSorted((a, b) => a - b);
  const count = (bound: number): number => (now.calls.get(bound) ?? 0) - (before?.calls.get(bound) ?? 0);
  const all = count(Infinity);
  const p99 = all === 0 ? 0 : (bounds.find((bound) => count(bound) >= all * P99) ?? Infinity);
  return {
    requests: now.requests - (before?.requests ?? 0),
    errors: now.errors - (before?.errors ?? 0),
    p99Ms: p99 * 1_000,
  };
}
