// What the servers of a cell say of themselves during a roll; the Kubernetes API knows nothing of it.
import type { StorageFacts } from './storage-gates.ts';

/** Of a ZooKeeper server's `mntr`. */
export type ZooKeeperFacts = { state: string; syncedFollowers: number };

/** Requests that a server answered. */
export type Answers = { requests: number; errors: number; p99Ms: number };

export type AppServerFacts = {
  pod: string;
  /** Within the last moments. */
  lately: Answers;
  /** Since the server started. */
  everSince: Answers;
  /** It runs what the spec says now. */
  newest: boolean;
};

type Bounds = { maxErrorPercent: number; maxP99Ms: number };

/** A server or process that did not answer is absent from its list. */
export type RollFacts = {
  bounds: Bounds;
  wanted: { zookeeper: number; appServers: number };
  /** By pod; undefined: nobody had to be asked. */
  zookeeper?: Map<string, ZooKeeperFacts>;
  /** Of HDFS and HBase on it; undefined with storage Local, or when nobody had to be asked. */
  storage?: StorageFacts;
  appServers: AppServerFacts[];
  /** For each process of discovery: the app servers of the cell that it sees serve; undefined: it did not answer. */
  discovery: (string[] | undefined)[];
};
