// A bar on standard error while a person waits: none without a terminal, none for programs (--json).
import { SingleBar } from 'cli-progress';

export type Progress = {
  /** How many there will be; may grow. */
  total(count: number): void;
  /** So many more are done. */
  add(count: number): void;
  /** So many are done, of so many. */
  set(done: number, of: number): void;
};

const SILENT: Progress = { total() {}, add() {}, set() {} };

/**
 * Shows how far `work` has come in `unit`, e.g. "keys", as soon as it is known of how many. The bar is gone when it is over,
 * whatever its outcome.
 */
export async function withProgress<T>(
  label: string,
  unit: string,
  options: { json?: boolean | undefined },
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  if (options.json || !process.stderr.isTTY) return await work(SILENT);
  const bar = new SingleBar({
    format: `${label} [{bar}] {value}/{total} ${unit}, {duration_formatted}`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: false,
  });
  let total = 0;
  let done = 0;
  const show = (): void => {
    // What is found on the way was not counted before.
    const of = Math.max(total, done);
    if (!bar.isActive) return bar.start(of, done);
    bar.setTotal(of);
    bar.update(done);
  };
  try {
    return await work({
      total(count) {
        total = count;
        show();
      },
      add(count) {
        done += count;
        show();
      },
      set(count, of) {
        [done, total] = [count, of];
        show();
      },
    });
  } finally {
    bar.stop();
  }
}
