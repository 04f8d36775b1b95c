// All that the builders of a cell's objects need to know besides its spec: a pure function of what was observed.
import { blobStoreUrl } from '../blob-store-url.ts';
import { imagesOf, userIndexUrl } from '../platform/context.ts';
import { ownerOf, type Owner } from '../resources/owner.ts';
import { imageAt } from '../resources/service-pod.ts';
import type { Settings } from '../settings.ts';
import type { Cell, CellStatus, Platform, PullPolicy } from '../types.ts';

export type CellContext = {
  owner: Owner;
  platform: { name: string; namespace: string };
  /** `asked`: what the spec says; `cellpost`: that, or the last good one after it was rolled back. */
  images: { asked: string; cellpost: string; hbase: string; pullPolicy: PullPolicy };
  blobStoreUrl: string;
  userIndexUrl: string;
  operatorNamespace: string;
  operatorLabels: Record<string, string>;
};

export function platformOf(cell: Cell): { name: string; namespace: string } {
  const { name, namespace } = cell.spec.platform;
  return { name, namespace: namespace ?? cell.metadata.namespace ?? '' };
}

/** An image that was rolled back stays out of use, until the spec has said another one. */
function effectiveImage(asked: string, status: CellStatus | undefined): string {
  return status?.rolledBack?.image === asked ? (status.goodImage ?? asked) : asked;
}

export function cellContext(cell: Cell, platform: Platform, settings: Settings): CellContext {
  const { cellpost, hbase } = imagesOf(platform, settings);
  const asked = imageAt(cellpost, cell.spec.version);
  return {
    owner: ownerOf(cell, settings.domain),
    platform: platformOf(cell),
    images: {
      asked,
      cellpost: effectiveImage(asked, cell.status),
      hbase,
      pullPolicy: platform.spec.images.pullPolicy,
    },
    blobStoreUrl: blobStoreUrl(platform.spec.blobStore),
    userIndexUrl: userIndexUrl(ownerOf(platform, settings.domain)),
    operatorNamespace: settings.namespace,
    operatorLabels: settings.labels,
  };
}
