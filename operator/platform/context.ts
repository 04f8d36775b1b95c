// All that the builders of a platform's objects need to know besides its spec.
import { blobStoreUrl } from '../blob-store-url.ts';
import { ownerOf, serviceHost, type Owner } from '../resources/owner.ts';
import { imageAt } from '../resources/service-pod.ts';
import type { Settings } from '../settings.ts';
import type { Platform, PullPolicy } from '../types.ts';

export const DISCOVERY_PORT = 8090;

export type PlatformContext = {
  owner: Owner;
  images: { cellpost: string; hbase: string; pullPolicy: PullPolicy };
  blobStoreUrl: string;
  discoveryUrl: string;
  operatorNamespace: string;
  operatorLabels: Record<string, string>;
};

export function platformContext(platform: Platform, settings: Settings): PlatformContext {
  const { images } = platform.spec;
  const owner = ownerOf(platform, settings.domain);
  return {
    owner,
    images: {
      cellpost: imageAt(images.cellpost ?? settings.images.cellpost, platform.spec.version),
      hbase: images.hbase ?? settings.images.hbase,
      pullPolicy: images.pullPolicy,
    },
    blobStoreUrl: blobStoreUrl(platform.spec.blobStore),
    discoveryUrl: `http://${serviceHost(owner, 'discovery')}:${DISCOVERY_PORT}`,
    operatorNamespace: settings.namespace,
    operatorLabels: settings.labels,
  };
}
