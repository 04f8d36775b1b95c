// A Rollout as the API server gives it: crds/rollouts.yaml has filled in all defaults.
import type { KubeObject } from '../runtime/resources.ts';
import type { CommonStatus } from '../types.ts';

/** What a rollout gives its members, and what a member's spec asks for. */
export type Given = {
  /** The tag of the cellpost image. */
  version?: string | undefined;
  /** The image of ZooKeeper, HDFS and HBase. */
  hbase?: string | undefined;
};

/** At least one of `version` and `images` is there. */
export type RolloutSpec = {
  platform: { name: string };
  version?: string;
  images?: { hbase: string };
  canary?: { cells?: string[]; selector?: { matchLabels: Record<string, string> } };
  bakeSeconds: number;
  waves?: { percent: number; dataCenters?: string[] }[];
  maxUnavailableCells: number;
  gates: {
    degradedSeconds: number;
    cellDeadlineSeconds: number;
    maxErrorPercent: number;
    maxP99Ms: number;
    onFailure: 'Rollback' | 'Pause';
  };
  paused: boolean;
  abort: boolean;
};

export type Outcome = 'Complete' | 'RolledBack' | 'Aborted';

/** How a stage fares, and what the rollout must remember of it. */
export type StageStatus = {
  name: string;
  members: number;
  reached: number;
  /** Since when all its members have had the version without a break. */
  readySince?: string;
  /** When it was good for long enough; from then on the next stage may go on. */
  bakedAt?: string;
  /** Since when app servers of its members have answered badly; absent while they don't. */
  shutSince?: string;
};

export type Failure = { message: string; at: string };

export type RolloutStatus = CommonStatus & {
  stage?: string;
  summary?: string;
  stages?: StageStatus[];
  /** Members on their way, at most MAX_LISTED of them. */
  underWay?: { name: string; state: string; previousVersion: string; previousHbaseImage?: string }[];
  failure?: Failure;
  outcome?: Outcome;
};

export type Rollout = KubeObject & { spec: RolloutSpec; status?: RolloutStatus };
