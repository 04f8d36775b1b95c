// The custom resources as the API server gives them: crds/ has filled in all defaults.
import type { KubeObject } from './runtime/resources.ts';

type Quantity = string | number;
export type Resources = {
  requests?: { cpu?: Quantity; memory?: Quantity };
  limits: { cpu?: Quantity; memory: Quantity };
};
/** Options of a role's JVM besides what the operator sets. */
export type JvmSpec = { options?: string[] };
/** A server that runs in a JVM. */
export type JavaServer = { resources: Resources; jvm?: JvmSpec };
export type Volume = { size: Quantity; className?: string };
export type ZooKeeperSpec = {
  /** Members of the ensemble. */
  replicas: number;
  /** In no spec: all that run, those about to join and those that have left counted, when they are not just the members. */
  servers?: number;
  storage: Volume;
  resources: Resources;
  jvm?: JvmSpec;
};

/** Servers of one role, each with a volume. */
export type StoredRole = JavaServer & { replicas: number; volume: Volume };
export type HdfsSpec = {
  /** Copies of each block. */
  replication: number;
  nameNodes: StoredRole;
  journalNodes: StoredRole;
  dataNodes: StoredRole;
};

export type CellState = 'Enabled' | 'Draining' | 'Disabled' | 'Hibernated';

export type CellSpec = {
  state: CellState;
  version?: string;
  /** `hbase`: of ZooKeeper, HDFS and HBase. */
  images?: { hbase?: string };
  dataCenter: string;
  platform: { name: string; namespace?: string };
  zookeeper: ZooKeeperSpec;
  hbase: {
    storage: 'Local' | 'HDFS';
    /** There with storage HDFS, and only then. */
    hdfs?: HdfsSpec;
    masters: number;
    regionServers: number;
    volume: Volume;
    regions: number;
    master: JavaServer;
    regionServer: JavaServer;
    rest: JavaServer;
  };
  appServers: { replicas: number; tokens: number; cacheBytes: number; resources: Resources };
  rollout: RolloutSpec;
};

/** How a cell's pods are made anew. */
type RolloutSpec = {
  paused: boolean;
  gates: {
    maxErrorPercent: number;
    maxP99Ms: number;
    minRequests: number;
    observeSeconds: number;
    readyMinutes: number;
  };
};

/** A roll that is under way: pods to make anew in all, and so far. */
export type RollStatus = { total: number; done: number; current: string };
/** An image that failed, and goes back into use only when the spec says another and then it again. */
type RolledBack = { image: string; message: string };
/** `good`: the last image with which all servers of its kind ran, and that was watched for long enough. */
export type ImageRecord = { good?: string; rolledBack?: RolledBack };

export type Condition = {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  observedGeneration?: number;
  lastTransitionTime: string;
};

/** How the servers of one role fare. */
export type RoleStatus = { replicas: number; ready: number; summary: string };
/** Which HDFS is the cell's: written before a NameNode may format itself, and when it has. */
export type FormatMark = { clusterId?: string; formattedAt?: string };
/** A DataNode that HDFS does without for a while, and until when at the latest (ISO 8601). */
export type Resting = { pod: string; until: string };
/** What the pods of HDFS are told from the status. `leaving`: pods of DataNodes that go for good. */
export type StorageRecord = FormatMark & { leaving?: string[]; resting?: Resting };
type EnsembleStatus = RoleStatus & { formedAt?: string; members?: number };

/** What both kinds tell of themselves. */
export type CommonStatus = {
  observedGeneration?: number;
  phase?: string;
  nextAction?: string;
  blockedBy?: string;
  conditions?: Condition[];
};

export type CellStatus = CommonStatus & {
  version?: string;
  zookeeper?: EnsembleStatus;
  hbase?: RoleStatus & { schema?: string };
  hdfs?: RoleStatus & FormatMark;
  appServers?: RoleStatus & { selector: string };
  discovery?: { name: string; record: string };
  roll?: RollStatus;
  /** Servers whose regions or blocks move away for good. */
  leaving?: string[];
  resting?: Resting;
  /** Of the app servers' image. */
  goodImage?: string;
  rolledBack?: RolledBack;
  /** Of the image of ZooKeeper, HDFS and HBase. `default`: what runs where the spec names none. */
  hbaseImage?: ImageRecord & { default?: string };
};

export type Cell = KubeObject & { spec: CellSpec; status?: CellStatus };

export type ServiceType = 'ClusterIP' | 'NodePort' | 'LoadBalancer';

/** Each as the MTA proxy's own default when absent. */
type MailAuthenticationSpec = {
  enforce?: string;
  dnsServers?: string[];
  trustedNetworks?: string[];
};

export type MemcachedSpec = {
  replicas: number;
  memoryMiB: number;
  /** `host:port` each; when there are any, none of our own runs. */
  servers: string[];
};

export type TracingSpec = { endpoint: string; percent: number };

export type PlatformSpec = {
  version?: string;
  images: { cellpost?: string; hbase?: string; memcached?: string; pullPolicy: PullPolicy };
  blobStore: { s3: { endpoint: string; bucket: string; region: string; secretRef: { name: string } } };
  zookeeper: ZooKeeperSpec;
  discovery: { replicas: number; resources: Resources };
  mtaProxy: {
    replicas: number;
    resources: Resources;
    hostname?: string;
    maxMessageBytes: number;
    authentication?: MailAuthenticationSpec;
    policy?: { url: string; timeoutMs?: number; onFailure?: string };
    limits?: {
      client?: number;
      senderDomain?: number;
      sender?: number;
      recipient?: number;
      senderToRecipient?: number;
    };
    service: { type: ServiceType };
  };
  userIndex: { replicas: number; resources: Resources };
  /** Absent: there is no memcache dirty service. */
  counts?: { replicas: number; resources: Resources; memcached: MemcachedSpec };
  /** Absent: there is no console. */
  console?: { resources: Resources; namespaces: string[] };
  web: { replicas: number; resources: Resources; service: { type: ServiceType } };
  /** Whom its pods and those of its cells may call besides what they need; all the world unless restricted. */
  egress: { restricted: boolean; ports: number[] };
  /** Absent: nobody reads metrics who may not call the services anyway. */
  tracing?: TracingSpec;
  monitoring?: { scrapers: { namespace: string; labels: Record<string, string> }[] };
};

export type Images = { cellpost: string; hbase: string; memcached: string };

export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

export type PlatformStatus = CommonStatus & {
  version?: string;
  /** What the platform runs where its spec names no image: what the operator that made it brought. */
  images?: Partial<Images>;
  discoveryUrl?: string;
  zookeeper?: EnsembleStatus;
  discovery?: RoleStatus;
  mtaProxy?: RoleStatus;
  userIndex?: RoleStatus;
  memcached?: RoleStatus;
  counts?: RoleStatus;
  console?: RoleStatus;
  web?: RoleStatus;
};

export type Platform = KubeObject & { spec: PlatformSpec; status?: PlatformStatus };
