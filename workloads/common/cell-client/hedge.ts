// A second try beside the first, at another server, when the answer takes longer than nearly all of the last ones did. The
// first answer wins and the other tries are ended. For questions that change nothing and that any of the servers can answer.
import type { HedgeOutcome } from '../metrics/workload-metrics.ts';

/** Answers that the delay is taken from. */
const WINDOW = 128;
/** With fewer than these, nothing is known yet. */
const MIN_SAMPLES = 16;
/** One answer in twenty may take longer than the delay: so many questions at most are asked twice. */
const SHARE = 0.95;
/** An event loop that came around late is no slow server. */
const MIN_DELAY_MS = 20;

/** How long answers of one kind take. */
export class AnswerTimes {
  readonly #firstDelayMs: number;
  readonly #timesMs: number[] = [];
  #next = 0;

  /** @param firstDelayMs until enough is known */
  constructor(firstDelayMs: number) {
    this.#firstDelayMs = firstDelayMs;
  }

  note(ms: number): void {
    this.#timesMs[this.#next] = ms;
    this.#next = (this.#next + 1) % WINDOW;
  }

  /** After so long an answer is slow. */
  get delayMs(): number {
    if (this.#timesMs.length < MIN_SAMPLES) return this.#firstDelayMs;
    const sorted = this.#timesMs.toSorted((a, b) => a - b);
    return Math.max(MIN_DELAY_MS, sorted[Math.floor(sorted.length * SHARE)] ?? 0);
  }
}

export type Hedged<T> = {
  /** One try; `index` is 0 for the first. It must end soon after the signal does. */
  attempt: (index: number, ending: AbortSignal) => Promise<T>;
  /** Is this what was asked for, and not a server that can't tell? */
  isAnswer: (result: T) => boolean;
  times: AnswerTimes;
  /** How many tries there may be. */
  most: number;
  /** Asks the retry budget before each further one. */
  mayTry: () => boolean;
  /** Told once of a question whose first try was slow, and once more for each further try that the budget withheld. */
  onHedge?: ((outcome: HedgeOutcome) => void) | undefined;
};

/** @returns the first answer; when there is none, what the last try ended with @throws the same */
export function hedged<T>({ attempt, isAnswer, times, most, mayTry, onHedge }: Hedged<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const endings: AbortController[] = [];
    let running = 0;
    let isDone = false;
    let timer: NodeJS.Timeout | undefined;
    const finish = (settle: () => void, outcome: HedgeOutcome): void => {
      isDone = true;
      clearTimeout(timer);
      if (endings.length > 1) onHedge?.(outcome);
      settle();
    };
    const start = (): void => {
      const index = endings.length;
      const ending = new AbortController();
      endings.push(ending);
      running++;
      const began = performance.now();
      attempt(index, ending.signal).then(
        (result) => {
          running--;
          if (isDone) return;
          if (isAnswer(result)) {
            times.note(performance.now() - began);
            finish(() => resolve(result), index === 0 ? 'lost' : 'won');
            for (const other of endings) if (other !== ending) other.abort(new Error('another was faster'));
          } else if (running === 0) finish(() => resolve(result), 'failed');
        },
        (error: unknown) => {
          running--;
          if (!isDone && running === 0)
            finish(() => reject(error instanceof Error ? error : new Error(String(error))), 'failed');
        },
      );
      if (endings.length < most)
        timer = setTimeout(() => {
          if (isDone) return;
          if (mayTry()) start();
          else onHedge?.('withheld');
        }, times.delayMs);
    };
    start();
  });
}
