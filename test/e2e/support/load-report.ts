// What a load saw: each request that was answered, each failure with its time, and the longest wait in each window.
import type { TestContext } from 'node:test';

/** A mail by SMTP, a reading by JMAP, a change by JMAP. */
const KINDS = ['mail', 'read', 'write'] as const;
export type Kind = (typeof KINDS)[number];

/** `at`: when it was asked, ISO 8601. `window`: what was going on then. */
type Failure = { at: string; kind: Kind; user: string; why: string; window: string };

/** The longest request that was under way within a window. */
export type Stall = { ms: number; kind?: Kind; at?: string };
type Window = { label: string; longest: Stall };

/** Plain data: it goes from process to process as JSON. */
export type LoadReport = {
  answered: Record<Kind, number>;
  longestMs: Record<Kind, number>;
  failures: Failure[];
  windows: Window[];
  /** Subjects of the mails that were acknowledged, by address. */
  acknowledged: Record<string, string[]>;
};

/** Failures in words that a diagnosis prints; the rest is counted. */
const TOLD = 10;

export class Recorder {
  readonly report: LoadReport;
  readonly #starts: number[] = [];

  constructor(addresses: readonly string[]) {
    this.report = {
      answered: { mail: 0, read: 0, write: 0 },
      longestMs: { mail: 0, read: 0, write: 0 },
      failures: [],
      windows: [],
      acknowledged: Object.fromEntries(addresses.map((address) => [address, []])),
    };
    this.enter('before');
  }

  /** From now on something else goes on; the same label again is the same window. */
  enter(label: string): void {
    if (this.report.windows.at(-1)?.label === label) return;
    this.report.windows.push({ label, longest: { ms: 0 } });
    this.#starts.push(performance.now());
  }

  /** Does one request and writes down how it went. A failure counts for the windows as a wait does. */
  async record(kind: Kind, user: string, work: () => Promise<void>): Promise<void> {
    const start = performance.now();
    const at = new Date().toISOString();
    const window = this.report.windows.at(-1)?.label ?? '';
    try {
      await work();
      this.report.answered[kind]++;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.report.failures.push({ at, kind, user, why, window });
    }
    this.#took({ ms: performance.now() - start, kind, at }, start);
  }

  #took(stall: Required<Stall>, start: number): void {
    const { windows, longestMs } = this.report;
    longestMs[stall.kind] = Math.max(longestMs[stall.kind], stall.ms);
    for (let n = windows.length - 1; n >= 0; n--) {
      const window = windows[n];
      if (window && stall.ms > window.longest.ms) window.longest = stall;
      // Earlier windows were over before it was asked.
      if ((this.#starts[n] ?? 0) <= start) return;
    }
  }
}

export const mailsTaken = ({ acknowledged }: LoadReport): number =>
  Object.values(acknowledged).reduce((sum, subjects) => sum + subjects.length, 0);

/** Prints figures, the longest wait of each window, and the first failures. */
export function tellLoad(t: TestContext, report: LoadReport): void {
  const { answered, longestMs, failures, windows } = report;
  const kinds = KINDS.map((kind) => {
    const failed = failures.filter((one) => one.kind === kind).length;
    return `${kind}: ${answered[kind]} answered, ${failed} failed, longest ${Math.round(longestMs[kind])} ms`;
  });
  t.diagnostic(kinds.join('; '));
  for (const { label, longest } of windows)
    t.diagnostic(
      `longest in "${label}": ${Math.round(longest.ms)} ms${longest.kind ? ` (${longest.kind} at ${longest.at})` : ''}`,
    );
  for (const { at, kind, user, why, window } of failures.slice(0, TOLD))
    t.diagnostic(`failed: ${at} ${kind} of ${user} in "${window}": ${why}`);
}
