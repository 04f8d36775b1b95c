// When the answers of app servers are too bad: pure functions of what the servers count.
import type { Answers, AnswersOfServer, AppServerFacts, RollFacts, Share } from './facts.ts';
import type { Shut } from './plan.ts';

/** Fewer that failed may be chance, whatever their share. */
const MIN_FAILED = 3;
/** Of fewer calls the slowest one is no 99th percentile. */
const MIN_CALLS = 20;

const KINDS = ['requests', 'calls', 'deliveries'] as const;
const CALLED = { requests: 'requests', calls: 'JMAP calls', deliveries: 'deliveries' } as const;

const isOver = ({ answered, failed }: Share, maxPercent: number): boolean =>
  failed >= MIN_FAILED && 100 * failed > maxPercent * answered;

/** @returns what it is that fails too often: "requests", "deliveries"; undefined when nothing does */
export function failingKind(answers: Answers, maxErrorPercent: number): string | undefined {
  const kind = KINDS.find((one) => isOver(answers[one], maxErrorPercent));
  return kind && CALLED[kind];
}

export function isSlow({ calls, deliveries, p99Ms }: Answers, maxP99Ms: number): boolean {
  return calls.answered + deliveries.answered >= MIN_CALLS && p99Ms > maxP99Ms;
}

/** The app servers answer well enough to bear that one of them goes. One that tells nothing may answer anything. */
export function appServersGate({ appServers, bounds, goesBack }: RollFacts): Shut | undefined {
  // Whichever server answers badly, the storage may be why.
  if (goesBack.includes('hbase')) return undefined;
  for (const { pod, newest, answers } of appServers) {
    if (goesBack.includes('cellpost') && !newest) continue;
    if (!answers) {
      const message = `App server ${pod} must tell by its metrics how it answers; it does not.`;
      return { reason: 'MetricsAway', message, paused: true };
    }
    const { lately, everSince } = answers;
    const { maxErrorPercent, maxP99Ms } = bounds;
    // What a server of the newest version has answered is all of the newest version.
    const kind =
      failingKind(lately, maxErrorPercent) ?? (newest ? failingKind(everSince, maxErrorPercent) : undefined);
    if (kind !== undefined) {
      const message = `At most ${maxErrorPercent} % of the ${kind} to ${pod} may fail.`;
      return { reason: 'ErrorRate', message, paused: true };
    }
    if (isSlow(lately, maxP99Ms)) {
      const message = `99 % of the calls of ${pod} must be answered within ${maxP99Ms} ms.`;
      return { reason: 'Latency', message, paused: true };
    }
  }
  return undefined;
}

/** Each server of a new version has answered enough to be judged, or has been there long enough where there is little to answer. */
export function trialGate({ appServers, trial }: RollFacts): Shut | undefined {
  if (!trial) return undefined;
  const { minRequests, observeSeconds } = trial;
  const young = appServers.find((server) => server.newest && !isObserved(server, trial));
  if (!young) return undefined;
  const message = `Pod ${young.pod} of the new version must have answered ${minRequests} requests, or been ready for ${observeSeconds} s.`;
  return { reason: 'Observing', message, paused: false };
}

function isObserved(
  { readySeconds, answers }: AppServerFacts,
  { minRequests, observeSeconds }: NonNullable<RollFacts['trial']>,
): boolean {
  return readySeconds > 0 && (answeredBy(answers) >= minRequests || readySeconds >= observeSeconds);
}

const answeredBy = (answers: AnswersOfServer | undefined): number =>
  answers ? answers.everSince.requests.answered + answers.everSince.deliveries.answered : 0;

/**
 * Does a server of the newest version fail its users while those of the version before don't? Then the version is bad;
 * when all fail, something else is.
 * @returns why, or undefined
 */
export function badAnswers({ appServers, bounds: { maxErrorPercent } }: RollFacts): string | undefined {
  const old = appServers.filter(({ newest }) => !newest);
  if (old.some(({ answers }) => answers && failingKind(answers.lately, maxErrorPercent))) return undefined;
  for (const { pod, newest, answers } of appServers) {
    const kind = newest && answers ? failingKind(answers.everSince, maxErrorPercent) : undefined;
    if (kind !== undefined) return `more than ${maxErrorPercent} % of the ${kind} to ${pod} failed.`;
  }
  return undefined;
}
