// What the servers of a cell say of themselves during a roll; the Kubernetes API knows nothing of it.
import type { ImageKind } from '../images.ts';
import type { StorageFacts } from './storage-gates.ts';

/** Of a ZooKeeper server's `mntr`. */
export type ZooKeeperFacts = { state: string; syncedFollowers: number };

/** What was answered, and what of it failed by the server's fault. */
export type Share = { answered: number; failed: number };

/** What a server answered. A delivery or a call that fails may lie in an answer that does not, so each kind counts by itself. */
export type Answers = {
  /** HTTP requests; 5xx fail. */
  requests: Share;
  /** JMAP calls inside of requests. */
  calls: Share;
  /** Mails that came over a channel, which is one request. */
  deliveries: Share;
  /** Of calls and deliveries. */
  p99Ms: number;
};

/** `lately`: within the last moments; `everSince`: since the server started. */
export type AnswersOfServer = { lately: Answers; everSince: Answers };

export type AppServerFacts = {
  pod: string;
  /** It runs what the spec says now. */
  newest: boolean;
  /** How long it has been ready; 0 when it is not. */
  readySeconds: number;
  /** Undefined: it did not tell. */
  answers: AnswersOfServer | undefined;
};

type Bounds = { maxErrorPercent: number; maxP99Ms: number };

/** A server of ZooKeeper or the storage that did not answer is absent from its list. */
export type RollFacts = {
  bounds: Bounds;
  /** There while the newest version has not proven itself: how long each of its servers is watched. */
  trial?: { minRequests: number; observeSeconds: number };
  /** There while an image of ZooKeeper and the storage has not proven itself: the pods that run it. */
  storageTrial?: { observeSeconds: number; servers: { pod: string; readySeconds: number }[] };
  /** Images that failed and are taken back: what app servers answer with them keeps nobody from replacing their pods. */
  goesBack: readonly ImageKind[];
  wanted: { zookeeper: number; appServers: number };
  /** By pod; undefined: nobody had to be asked. */
  zookeeper?: Map<string, ZooKeeperFacts>;
  /** Of HDFS and HBase on it; undefined with storage Local, or when nobody had to be asked. */
  storage?: StorageFacts;
  /** Those that are not on their way out. */
  appServers: AppServerFacts[];
  /** For each process of discovery: the app servers of the cell that it sees serve; undefined: it did not answer. */
  discovery: (string[] | undefined)[];
};
