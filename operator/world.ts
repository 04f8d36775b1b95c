// What reconciling works with: copies of the cluster's objects, the API to change them, and the services outside of it.
import type { SchemaOptions } from '../workloads/common/hbase/schema.ts';
import type { Logger } from '../workloads/common/log.ts';
import type { AnswersOfServer, ZooKeeperFacts } from './cell/roll/facts.ts';
import type { AppServerPlace } from './outside/app-server-place.ts';
import type { DiscoveryAdmin } from './outside/discovery.ts';
import type { StorageAdmin } from './outside/storage.ts';
import type { MembersChange } from './outside/zookeeper-members.ts';
import { ensure } from './runtime/apply.ts';
import type { KubeApi } from './runtime/api.ts';
import type { Rollout } from './rollout/types.ts';
import type { Events } from './runtime/events.ts';
import type { KubeObject, ResourceType } from './runtime/resources.ts';
import { TYPES } from './runtime/resources.ts';
import type { WatchCache } from './runtime/watch-cache.ts';
import type { Settings } from './settings.ts';
import type { Cell, Platform } from './types.ts';

export type PodObject = KubeObject & {
  status?: {
    phase?: string;
    podIP?: string;
    conditions?: {
      type: string;
      status: string;
      reason?: string;
      message?: string;
      lastTransitionTime?: string;
    }[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
};
export type ContainerStatus = {
  name: string;
  ready: boolean;
  state?: { waiting?: { reason?: string; message?: string } };
  lastState?: { terminated?: { message?: string } };
};
export type StatefulSetObject = KubeObject & {
  spec: {
    replicas?: number;
    template?: { spec: { containers: { image?: string }[] } };
    volumeClaimTemplates?: ClaimSpec[];
  };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    readyReplicas?: number;
    updatedReplicas?: number;
    currentRevision?: string;
    updateRevision?: string;
  };
};
type ClaimSpec = {
  metadata: { name?: string };
  spec: { storageClassName?: string; resources?: { requests?: { storage?: string | number } } };
};
export type ClaimObject = KubeObject &
  Pick<ClaimSpec, 'spec'> & {
    status?: {
      capacity?: { storage?: string | number };
      conditions?: { type: string; status: string; message?: string }[];
    };
  };
export type SecretObject = KubeObject & { data?: Record<string, string> };

export type Caches = {
  cells: WatchCache<Cell>;
  platforms: WatchCache<Platform>;
  rollouts: WatchCache<Rollout>;
  statefulSets: WatchCache<StatefulSetObject>;
  deployments: WatchCache<StatefulSetObject>;
  pods: WatchCache<PodObject>;
  secrets: WatchCache<SecretObject>;
  volumeClaims: WatchCache<ClaimObject>;
  services: WatchCache<KubeObject>;
  configMaps: WatchCache<KubeObject>;
  disruptionBudgets: WatchCache<KubeObject>;
  networkPolicies: WatchCache<KubeObject>;
};

/** The services that the operator talks to besides the Kubernetes API. */
export type Outside = {
  discovery(url: string, token: string): DiscoveryAdmin;
  /** Makes sure of the log table; resolves when it is there. */
  ensureSchema(options: SchemaOptions): Promise<void>;
  /** @returns undefined when it does not answer */
  zookeeper(host: string): Promise<ZooKeeperFacts | undefined>;
  /** Who belongs to an ensemble: the numbers of its voting members, from 1. */
  ensemble: {
    /** @throws when the server does not answer */
    members(host: string): Promise<number[]>;
    /** Resolves with the members when the change is in force. @throws when it is refused */
    change(host: string, change: MembersChange): Promise<number[]>;
  };
  storage: StorageAdmin;
  /** @returns undefined when it does not answer */
  appServer(url: string): Promise<AnswersOfServer | undefined>;
  appServerPlace: AppServerPlace;
};

export type World = {
  api: KubeApi;
  caches: Caches;
  events: Events;
  outside: Outside;
  settings: Settings;
  logger: Logger;
};

/** Makes the objects so, all that can be made; an error of one does not keep the others from being made. */
export async function ensureAll(world: World, objects: KubeObject[]): Promise<void> {
  const errors: unknown[] = [];
  for (const object of objects) {
    try {
      await ensure(world.api, cacheOf(world.caches, object), object);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, errors.map(messageOf).join(' '));
}

function cacheOf(caches: Caches, { kind }: KubeObject): WatchCache<KubeObject> {
  for (const cache of Object.values(caches) as WatchCache<KubeObject>[]) {
    if (cache.type.kind === kind) return cache;
  }
  throw new Error(`There is no cache of ${kind}.`);
}

/** The sentence of an error for a status: stable, so that the same trouble is written once. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0]?.slice(0, MAX_MESSAGE_LENGTH) ?? '';
}

const MAX_MESSAGE_LENGTH = 500;

/** The types that are cached, by the caches' names. */
export const CACHED: Record<keyof Caches, ResourceType> = {
  cells: TYPES.cell,
  platforms: TYPES.platform,
  rollouts: TYPES.rollout,
  statefulSets: TYPES.statefulSet,
  deployments: TYPES.deployment,
  pods: TYPES.pod,
  secrets: TYPES.secret,
  volumeClaims: TYPES.volumeClaim,
  services: TYPES.service,
  configMaps: TYPES.configMap,
  disruptionBudgets: TYPES.disruptionBudget,
  networkPolicies: TYPES.networkPolicy,
};
