// What is saturated, and since when. Pure: what was seen before and what is seen now give what is told.
//
// A finding opens when what it is about was high at some looks in a row, and closes when it was calm at some looks in a row.
// Between high and calm it stays what it was, so that it does not come and go around one limit.
import type { Reading } from './history.ts';
import { describeBytes, describeCores, describeMs, describePercent } from './words.ts';

type Kind = 'down' | 'processor' | 'store' | 'queue' | 'stage' | 'errors' | 'memory';

/** One thing that could be saturated, at one look. */
export type Gauge = {
  /** Names the thing over time: `process kind subject`. */
  key: string;
  process: string;
  kind: Kind;
  /** Which of its queues, stages …: `hbase/append`. */
  subject: string;
  isHigh: boolean;
  isCalm: boolean;
  /** How far beyond its limit: 1 is at it. */
  ratio: number;
  /** A sentence without its subject: `HBase append takes 840 ms (usual 4 ms)`. */
  text: string;
  /** For what is high by comparison: what it was compared with. */
  usualSeconds?: number | undefined;
};

/** What is known of one thing. Times are milliseconds since 1970. */
type Track = {
  gauge: Gauge;
  /** When it became high. */
  sinceMs: number;
  highLooks: number;
  calmLooks: number;
  isOpen: boolean;
};

export type Tracks = ReadonlyMap<string, Track>;
export type Finding = Gauge & { sinceMs: number };

/** At so many looks in a row something must be high to be told of. A process that does not answer is told of sooner. */
const OPEN_AFTER: Record<Kind, number> = {
  down: 2,
  processor: 3,
  store: 3,
  queue: 2,
  stage: 3,
  errors: 2,
  memory: 3,
};
/** And calm to be told of no more. A process that answers is not down. */
const CLOSE_AFTER: Record<Kind, number> = {
  down: 1,
  processor: 4,
  store: 4,
  queue: 4,
  stage: 4,
  errors: 4,
  memory: 4,
};

/**
 * Which kind is told first when there are several: what is likelier the cause of the others. A process out of processor
 * time measures slow stores; a slow store makes long queues and slow stages; all of these make errors.
 */
const RANK: Record<Kind, number> = {
  down: 0,
  processor: 1,
  store: 2,
  queue: 3,
  stage: 4,
  errors: 5,
  memory: 6,
};

/** Of a limit, or of the event loop's time. */
const CPU = { high: 0.85, calm: 0.7 };
/** The event loop comes around about each 10 ms where nothing holds it up, as that is how often it is looked at. */
const LAG_SECONDS = { high: 0.2, calm: 0.1 };
const QUEUE = { high: 0.8, calm: 0.5 };
const MEMORY = { high: 0.9, calm: 0.85 };
/** Of all answers; a few errors among few answers are no trend. */
const ERRORS = { high: 0.05, calm: 0.01, perSecond: 0.5 };
/** How many times as long as usual, and from what time on it matters to anybody. */
const SLOW = { high: 5, calm: 2.5, floorSeconds: 0.05 };
/** A store is slow beyond this even if that is usual. */
const STORE_SECONDS = 1;

/** The gauges of a process that answers. @param usualOf what the 99th percentile of a stage usually is */
export function gaugesOf(
  process: string,
  reading: Reading,
  usualOf: (key: string, stage: string) => number | undefined,
): Gauge[] {
  const gauges = [...processorGauges(process, reading), ...memoryGauges(process, reading)];
  const make = (
    kind: Kind,
    subject: string,
    value: number,
    level: { high: number; calm: number },
    text: string,
  ) => gauges.push(gaugeOf(process, kind, subject, value, level, text));
  for (const [name, { depth, limit }] of reading.queues)
    if (limit !== undefined && limit > 0)
      make('queue', name, depth / limit, QUEUE, `the queue ${name} holds ${depth} of at most ${limit}`);
  const answers = reading.requestsPerSecond;
  if (answers > 0) {
    const share = reading.errorsPerSecond >= ERRORS.perSecond ? reading.errorsPerSecond / answers : 0;
    make('errors', '', share, ERRORS, `${describePercent(share)} of the requests fail`);
  }
  for (const [stage, { p99Seconds }] of reading.stages) {
    if (p99Seconds === undefined) continue;
    const kind = stage.includes('/') ? 'store' : 'stage';
    const usual = usualOf(keyOf(process, kind, stage), stage);
    const limit = Math.min(
      usual === undefined ? Infinity : Math.max(usual * SLOW.high, SLOW.floorSeconds),
      kind === 'store' ? STORE_SECONDS : Infinity,
    );
    if (limit === Infinity) continue;
    const calm = (limit * SLOW.calm) / SLOW.high;
    const compared = usual === undefined ? '' : ` (usual ${describeMs(usual * 1_000)})`;
    gauges.push({
      ...gaugeOf(
        process,
        kind,
        stage,
        p99Seconds,
        { high: limit, calm },
        `${describeStage(stage)} takes ${describeMs(p99Seconds * 1_000)}${compared}`,
      ),
      usualSeconds: usual,
    });
  }
  return gauges;
}

/** The gauge of what should be there. @param trouble why it is not, in a sentence without its subject */
export function downGauge(process: string, trouble: string | undefined): Gauge {
  const level = { high: 1, calm: 0 };
  return gaugeOf(process, 'down', '', trouble === undefined ? 0 : 1, level, trouble ?? 'it is there');
}

function processorGauges(process: string, reading: Reading): Gauge[] {
  const { cpuCores, cpuLimit = 1, loopBusy, loopLagSeconds } = reading;
  const gauges = [
    gaugeOf(
      process,
      'processor',
      'cpu',
      cpuCores / cpuLimit,
      CPU,
      `it uses ${describeCores(cpuCores)} of the ${describeCores(cpuLimit)} that it may`,
    ),
    gaugeOf(
      process,
      'processor',
      'lag',
      loopLagSeconds,
      LAG_SECONDS,
      `its event loop is ${describeMs(loopLagSeconds * 1_000)} late`,
    ),
  ];
  if (loopBusy !== undefined)
    gauges.push(
      gaugeOf(
        process,
        'processor',
        'loop',
        loopBusy,
        CPU,
        `its event loop is busy ${describePercent(loopBusy)} of the time`,
      ),
    );
  return gauges;
}

function memoryGauges(process: string, reading: Reading): Gauge[] {
  const { residentBytes, memoryLimitBytes, heapUsedBytes, heapLimitBytes } = reading;
  const of = (subject: string, used: number, limit: number | undefined): Gauge[] => {
    if (limit === undefined || limit <= 0) return [];
    const text = `it uses ${describeBytes(used)} of ${describeBytes(limit)} of ${subject}`;
    return [gaugeOf(process, 'memory', subject, used / limit, MEMORY, text)];
  };
  return [...of('memory', residentBytes, memoryLimitBytes), ...of('heap', heapUsedBytes, heapLimitBytes)];
}

function gaugeOf(
  process: string,
  kind: Kind,
  subject: string,
  value: number,
  level: { high: number; calm: number },
  text: string,
): Gauge {
  return {
    key: keyOf(process, kind, subject),
    process,
    kind,
    subject,
    isHigh: value >= level.high,
    isCalm: value <= level.calm,
    ratio: value / level.high,
    text,
  };
}

const keyOf = (process: string, kind: Kind, subject: string): string => `${process} ${kind} ${subject}`;

/** Takes the gauges of one look; one that is missing is calm. @param atMs since 1970 */
export function follow(tracks: Tracks, gauges: readonly Gauge[], atMs: number): Tracks {
  const next = new Map<string, Track>();
  const seen = new Set<string>();
  for (const gauge of gauges) {
    seen.add(gauge.key);
    const track = step(tracks.get(gauge.key), gauge, atMs);
    if (track) next.set(gauge.key, track);
  }
  for (const [key, track] of tracks) {
    if (seen.has(key)) continue;
    const calm = step(track, { ...track.gauge, isHigh: false, isCalm: true }, atMs);
    if (calm) next.set(key, calm);
  }
  return next;
}

/** @returns undefined when nothing needs to be known of it */
function step(track: Track | undefined, gauge: Gauge, atMs: number): Track | undefined {
  if (!track) {
    if (!gauge.isHigh) return undefined;
    return { gauge, sinceMs: atMs, highLooks: 1, calmLooks: 0, isOpen: OPEN_AFTER[gauge.kind] <= 1 };
  }
  const highLooks = gauge.isHigh ? track.highLooks + 1 : 0;
  const calmLooks = gauge.isCalm ? track.calmLooks + 1 : 0;
  const isOpen = track.isOpen || highLooks >= OPEN_AFTER[gauge.kind];
  if (isOpen ? calmLooks >= CLOSE_AFTER[gauge.kind] : !gauge.isHigh) return undefined;
  // What an open finding is compared with is from before it opened: what is slow for long does not get usual.
  const usualSeconds = track.gauge.usualSeconds ?? gauge.usualSeconds;
  return { gauge: { ...gauge, usualSeconds }, sinceMs: track.sinceMs, highLooks, calmLooks, isOpen };
}

/** What the usual time of a stage was when it became high. */
export const frozenUsual = (tracks: Tracks, key: string): number | undefined =>
  tracks.get(key)?.gauge.usualSeconds;

/** All that is saturated, the likeliest cause of the others first. */
export function findingsOf(tracks: Tracks): Finding[] {
  return Array.from(tracks.values())
    .filter(({ isOpen }) => isOpen)
    .map(({ gauge, sinceMs }) => Object.assign({}, gauge, { sinceMs }))
    .sort((a, b) => RANK[a.kind] - RANK[b.kind] || b.ratio - a.ratio || (a.key < b.key ? -1 : 1));
}

const STORES: Record<string, string> = {
  hbase: 'HBase',
  sqlite: 'SQLite',
  memcached: 'memcached',
  zookeeper: 'ZooKeeper',
  blob: 'blob store',
};

/** `hbase/append` is `HBase append`. */
export function describeStage(stage: string): string {
  const [store = '', operation] = stage.split('/');
  return operation === undefined ? stage : `${STORES[store] ?? store} ${operation}`;
}
