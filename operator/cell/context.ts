// All that the builders of a cell's objects need to know besides its spec: a pure function of what was observed.
import { blobStoreUrl } from '../blob-store-url.ts';
import { imagesOf, scrapersOf, userIndexUrl } from '../platform/context.ts';
import type { Peer } from '../resources/manifests.ts';
import { egressOf, type Egress } from '../resources/egress.ts';
import { ownerOf, type Owner } from '../resources/owner.ts';
import { imageAt } from '../resources/service-pod.ts';
import type { Settings } from '../settings.ts';
import type { Cell, Platform, PullPolicy, TracingSpec } from '../types.ts';
import { imageInUse, imageRecordsOf, type ImageKind } from './images.ts';

export type CellContext = {
  owner: Owner;
  platform: { name: string; namespace: string };
  /**
   * Of each kind: what the spec says, or the last good one after that was rolled back. `asked`: what the spec says;
   * `defaultHbase`: what it would be if the spec named none.
   */
  images: Record<ImageKind, string> & {
    asked: Record<ImageKind, string>;
    defaultHbase: string;
    pullPolicy: PullPolicy;
  };
  blobStoreUrl: string;
  userIndexUrl: string;
  operatorNamespace: string;
  operatorLabels: Record<string, string>;
  /** Who may read metrics. */
  scrapers: Peer[];
  egress: Egress;
  /** Undefined: there are no traces. */
  tracing: TracingSpec | undefined;
};

export function platformOf(cell: Cell): { name: string; namespace: string } {
  const { name, namespace } = cell.spec.platform;
  return { name, namespace: namespace ?? cell.metadata.namespace ?? '' };
}

export function cellContext(
  cell: Cell,
  platform: Platform,
  settings: Pick<Settings, 'domain' | 'images' | 'namespace' | 'labels'>,
): CellContext {
  const given = imagesOf(platform, settings);
  // A cell that serves keeps its own: a change of the platform's would roll all cells at once.
  const defaultHbase = cell.status?.hbaseImage?.default ?? given.hbase;
  const asked = {
    cellpost: imageAt(given.cellpost, cell.spec.version),
    hbase: cell.spec.images?.hbase ?? defaultHbase,
  };
  const records = imageRecordsOf(cell.status);
  return {
    owner: ownerOf(cell, settings.domain),
    platform: platformOf(cell),
    images: {
      asked,
      defaultHbase,
      cellpost: imageInUse(asked.cellpost, records.cellpost),
      hbase: imageInUse(asked.hbase, records.hbase),
      pullPolicy: platform.spec.images.pullPolicy,
    },
    blobStoreUrl: blobStoreUrl(platform.spec.blobStore),
    userIndexUrl: userIndexUrl(ownerOf(platform, settings.domain)),
    operatorNamespace: settings.namespace,
    operatorLabels: settings.labels,
    scrapers: scrapersOf(platform),
    egress: egressOf(platform, settings.domain),
    tracing: platform.spec.tracing,
  };
}
