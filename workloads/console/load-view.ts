// What GET /v1/load answers, the page shows and `cellctl top` prints. Types alone: the page in the browser reads them, too.
// null: not known, or nothing happened. Times of durations are milliseconds, rates are those of the last 10 seconds.

export type LoadView = {
  /** When this was so; ISO 8601, UTC. */
  at: string;
  /** Seconds from one look to the next. */
  intervalSeconds: number;
  /** What holds the platform up, in a sentence; null when nothing is saturated. */
  bottleneck: string | null;
  /** All that is saturated, the likeliest cause of the others first. */
  findings: FindingView[];
  totals: TotalsView;
  map: MapView;
  cells: CellView[];
  /** All processes but the app servers. */
  services: ProcessView[];
  stages: StageView[];
  /** The busiest users of the last minute. */
  users: UserView[];
};

export type FindingView = {
  process: string;
  kind: 'down' | 'processor' | 'store' | 'queue' | 'stage' | 'errors' | 'memory';
  /** Which stage, as in StageView, or queue. */
  subject: string;
  /** A sentence whose subject is the process. */
  text: string;
  since: string;
};

export type TotalsView = {
  /** HTTP requests that app servers answered. */
  requestsPerSecond: number;
  errorsPerSecond: number;
  /** Log entries that became durable. */
  appendsPerSecond: number;
  p50Ms: number | null;
  p99Ms: number | null;
  /** Requests a second of the last 15 minutes, oldest first. */
  history: (number | null)[];
};

export type MapView = {
  version: number | null;
  /** For how long the map has been told from memory; 0: it is the newest. */
  ageSeconds: number;
  /** Of 65,536. */
  unassignedBuckets: number;
  exceptions: number;
  /** Why discovery does not answer. */
  problem: string | null;
};

export type CellView = {
  name: string;
  state: string;
  dataCenter: string;
  buckets: number;
  /** Of the buckets that are assigned, from 0 to 1. */
  share: number;
  ageSeconds: number;
  problem: string | null;
  requestsPerSecond: number;
  errorsPerSecond: number;
  appendsPerSecond: number;
  p99Ms: number | null;
  /** The 99th percentile of the calls to the store of its logs. */
  storeP99Ms: number | null;
  history: (number | null)[];
  nodes: ProcessView[];
};

export type ProcessView = {
  name: string;
  workload: string;
  url: string;
  /** Of an app server, its state on the ring, or `lost`; of others `up` or `down`. */
  state: string;
  /** Why it does not answer. */
  problem: string | null;
  /** Of the keys of its cell, from 0 to 1; null for what is on no ring. */
  share: number | null;
  version: string | null;
  requestsPerSecond: number;
  errorsPerSecond: number;
  p50Ms: number | null;
  p99Ms: number | null;
  /** Processors in use. */
  cpuCores: number | null;
  /** Of the event loop's time, from 0 to 1. */
  loopBusy: number | null;
  lagMs: number | null;
  memoryBytes: number | null;
  memoryLimitBytes: number | null;
  /** The fullest of its queues. */
  queue: { name: string; depth: number; limit: number | null } | null;
  history: (number | null)[];
};

export type StageView = {
  workload: string;
  /** `append`, or `hbase/append` for a call of a store. */
  stage: string;
  title: string;
  perSecond: number;
  p50Ms: number | null;
  p99Ms: number | null;
  /** The median of the 99th percentiles of the last 15 minutes. */
  usualMs: number | null;
  /** Where the 99th percentile is the longest; null when only one process has this stage. */
  slowest: string | null;
  /** 99th percentiles of the last 15 minutes, oldest first. */
  history: (number | null)[];
};

export type UserView = {
  /** null: only who shows the platform's token is told. */
  userId: string | null;
  cell: string;
  /** Of the last minute. */
  requests: number;
  bytes: number;
  appends: number;
};
