// Waiting for a condition with a deadline, in place of sleeping.
import { setTimeout as sleep } from 'node:timers/promises';

export type WaitOptions = {
  timeoutMs: number;
  /** What is waited for, as in "gave up waiting for …". */
  what?: string;
  intervalMs?: number;
  /** What is there instead, for whoever reads that it was given up. */
  explain?: () => string | Promise<string>;
};

/**
 * Asks again and again until the answer is neither undefined nor false; that is the result. A throwing question is not
 * asked again.
 * @throws after `timeoutMs`
 */
export async function until<T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  options: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() >= deadline) {
      const there = await options.explain?.();
      const what = `Gave up waiting for ${options.what ?? 'a condition'} after ${options.timeoutMs} ms.`;
      throw new Error(there === undefined ? what : `${what} ${there}`);
    }
    await sleep(options.intervalMs ?? 50);
  }
}
