// All that the builders of a platform's objects need to know besides its spec.
import { blobStoreUrl } from '../blob-store-url.ts';
import { peer, type Peer } from '../resources/manifests.ts';
import { egressOf, type Egress } from '../resources/egress.ts';
import { ownerOf, serviceHost, type Owner } from '../resources/owner.ts';
import { imageAt } from '../resources/service-pod.ts';
import type { Settings } from '../settings.ts';
import type { Images, Platform, PullPolicy, TracingSpec } from '../types.ts';

export const DISCOVERY_PORT = 8090;
export const COUNTS_PORT = 8084;
export const CONSOLE_PORT = 8085;
export const USER_INDEX_PORT = 8083;

export type PlatformContext = {
  owner: Owner;
  images: Images & { pullPolicy: PullPolicy };
  blobStoreUrl: string;
  discoveryUrl: string;
  operatorNamespace: string;
  operatorLabels: Record<string, string>;
  operatorPods: Settings['pods'];
  /** Who may read metrics. */
  scrapers: Peer[];
  egress: Egress;
  /** Undefined: there are no traces. */
  tracing: TracingSpec | undefined;
};

/** Where the user index of a platform is. @param owner the platform */
export function userIndexUrl(owner: Owner): string {
  return `http://${serviceHost(owner, 'user-index')}:${USER_INDEX_PORT}`;
}

/**
 * Without the version of the spec. Where the spec names none an image stays what it was when the platform was made: an
 * upgrade of the operator is none of what it looks after.
 */
export function imagesOf({ spec, status }: Platform, settings: Pick<Settings, 'images'>): Images {
  const { cellpost, hbase, memcached } = { ...settings.images, ...status?.images };
  return {
    cellpost: spec.images.cellpost ?? cellpost,
    hbase: spec.images.hbase ?? hbase,
    memcached: spec.images.memcached ?? memcached,
  };
}

export function scrapersOf({ spec }: Platform): Peer[] {
  return (spec.monitoring?.scrapers ?? []).map(({ namespace, labels }) => peer(namespace, labels));
}

export function platformContext(platform: Platform, settings: Settings): PlatformContext {
  const { cellpost, hbase, memcached } = imagesOf(platform, settings);
  const owner = ownerOf(platform, settings.domain);
  return {
    owner,
    images: {
      cellpost: imageAt(cellpost, platform.spec.version),
      hbase,
      memcached,
      pullPolicy: platform.spec.images.pullPolicy,
    },
    blobStoreUrl: blobStoreUrl(platform.spec.blobStore),
    discoveryUrl: `http://${serviceHost(owner, 'discovery')}:${DISCOVERY_PORT}`,
    operatorNamespace: settings.namespace,
    operatorLabels: settings.labels,
    operatorPods: settings.pods,
    scrapers: scrapersOf(platform),
    egress: egressOf(platform, settings.domain),
    tracing: platform.spec.tracing,
  };
}

export const consoleUrl = (owner: Owner): string => `http://${serviceHost(owner, 'console')}:${CONSOLE_PORT}`;

export const countsUrl = (owner: Owner): string =>
  `http://${serviceHost(owner, 'memcache-dirty')}:${COUNTS_PORT}`;
