// Keeps a coordination session for as long as a program runs: opens another whenever one expires or none can be had.
import type { Clock } from '../clock.ts';
import { ConfigError } from '../config/env.ts';
import type { Verdict } from '../http/health.ts';
import type { Logger } from '../log.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { Pulse } from '../pulse.ts';
import type { CoordinationSession } from './coordination.ts';
import { openCoordination } from './open.ts';

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;
/** One attempt to open; the next one begins with a new client and a fresh look at the names of its hosts. */
const ATTEMPT_MS = 10_000;

export type KeptSession = {
  /** The session of now; undefined while there is none. */
  readonly session: CoordinationSession | undefined;
  /** Why there is none, for people; undefined while there is one. */
  readonly problem: string | undefined;
  /** Not well when there is no session, and no try to have one. */
  health(): Verdict;
  close(): Promise<void>;
};

/**
 * @param options.onSession is called with each new session. What it left on the last one has gone with that.
 * A URL that can never work is a problem like the others: it is told, and tried again.
 */
export function keepSession(
  url: string,
  options: {
    timeoutMs: number;
    logger: Logger;
    metrics?: WorkloadMetrics;
    onSession: (session: CoordinationSession) => void;
    clock?: Clock;
  },
): KeptSession {
  const { timeoutMs, logger, metrics } = options;
  const ending = new AbortController();
  let session: CoordinationSession | undefined;
  let problem: string | undefined = 'not connected yet';
  let retryMs = FIRST_RETRY_MS;
  let timer: NodeJS.Timeout | undefined;
  let opening: Promise<void> | undefined;
  const pulse = new Pulse('opening a session with the coordination', options.clock);

  const open = async (): Promise<void> => {
    pulse.beat();
    try {
      const opened = await openCoordination(url, {
        timeoutMs,
        logger,
        metrics,
        deadlineMs: ATTEMPT_MS,
        signal: ending.signal,
      });
      session = opened;
      pulse.rest();
      problem = undefined;
      retryMs = FIRST_RETRY_MS;
      opened.onState((state) => {
        if (state !== 'expired') return;
        logger.warn({ coordination: url }, 'the coordination session has expired; opening another');
        session = undefined;
        problem = 'the session expired';
        pulse.beat();
        again(0);
      });
      options.onSession(opened);
    } catch (error) {
      if (ending.signal.aborted) return;
      problem = error instanceof Error ? error.message : String(error);
      logger.warn(
        { coordination: url, problem, config: error instanceof ConfigError },
        'no coordination session',
      );
      again(retryMs);
      retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2);
    }
  };
  const again = (delayMs: number): void => {
    if (ending.signal.aborted) return;
    timer = setTimeout(() => {
      opening = open();
    }, delayMs);
  };
  opening = open();
  return {
    get session() {
      return session;
    },
    get problem() {
      return problem;
    },
    health: () => pulse.health(),
    async close() {
      ending.abort();
      clearTimeout(timer);
      await opening;
      await session?.close();
    },
  };
}
