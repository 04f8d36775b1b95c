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

/** Shows how far `work` has come in `unit`, e.g. "keys". The bar is gone when it is over, whatever its outcome. */
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
  bar.start(0, 0);
  try {
    return await work({
      total(count) {
        total = count;
        bar.setTotal(Math.max(total, done));
      },
      add(count) {
        done += count;
        // What is found on the way was not counted before.
        if (done > total) bar.setTotal(done);
        bar.update(done);
      },
      set(count, of) {
        done = count;
        bar.setTotal(of);
        bar.update(done);
      },
    });
  } finally {
    bar.stop();
  }
}
