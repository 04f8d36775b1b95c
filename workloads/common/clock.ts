// Time as a parameter, so that what waits and what expires can be run in a simulation.

export type Timer = { cancel(): void };

export interface Clock {
  /** Milliseconds on a clock that only goes forward, also when somebody sets the machine's time; leases are measured by it. */
  now(): number;
  /** Milliseconds since 1970, UTC: what is written down. May jump. */
  wall(): number;
  /** Calls once, after at least so many milliseconds. A waiting timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Calls again and again, so many milliseconds apart, until it is cancelled. */
export function every(clock: Clock, periodMs: number, work: () => void): Timer {
  const begin = (): Timer =>
    clock.after(periodMs, () => {
      timer = begin();
      work();
    });
  let timer = begin();
  return { cancel: () => timer.cancel() };
}

/** Resolves after so many milliseconds; rejects with the signal's reason when it is aborted before. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', abandon);
      resolve();
    });
    const abandon = () => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', abandon, { once: true });
  });
}

/** Gives up waiting after so many milliseconds; what was waited for goes on. @throws tooLate() then */
export function withDeadline<T>(
  clock: Clock,
  answer: Promise<T>,
  deadlineMs: number,
  tooLate: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(deadlineMs, () => reject(tooLate()));
    answer.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error as Error);
      },
    );
  });
}
