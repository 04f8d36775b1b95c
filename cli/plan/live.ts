// A cell as Kubernetes has it, and as a changed spec would be.
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import { z } from 'zod';
import { platformOf } from '../../operator/cell/context.ts';
import type { SizesSeenIn } from '../../operator/cell/hardware/sizes.ts';
import { groupOf } from '../../operator/resources/owner.ts';
import type { KubeApi } from '../../operator/runtime/api.ts';
import { TYPES, type KubeObject } from '../../operator/runtime/resources.ts';
import type { Cell, Platform } from '../../operator/types.ts';
import type { ClaimObject, PodObject, StatefulSetObject } from '../../operator/world.ts';

export type LiveCell = {
  cell: Cell;
  platform: Platform | undefined;
  sets: StatefulSetObject[];
  pods: PodObject[];
  /** The same objects, as the operator's caches answer for them. */
  caches: SizesSeenIn;
};

export async function lookAtLive(api: KubeApi, cell: Cell): Promise<LiveCell> {
  const { name, namespace = '' } = cell.metadata;
  const query = { labelSelector: `cellpost.dev/cell=${name}` };
  const [sets, pods, claims, platform] = await Promise.all([
    api.list<StatefulSetObject>(TYPES.statefulSet, query, { namespace }),
    api.list<PodObject>(TYPES.pod, query, { namespace }),
    api.list<ClaimObject>(TYPES.volumeClaim, query, { namespace }),
    api.get<Platform>(TYPES.platform, platformOf(cell)),
  ]);
  return {
    cell,
    platform,
    sets: sets.items,
    pods: pods.items,
    caches: {
      statefulSets: {
        get: (_namespace, wanted) => sets.items.find(({ metadata }) => metadata.name === wanted),
      },
      volumeClaims: { group: (wanted) => claims.items.filter((claim) => groupOf(claim) === wanted) },
    },
  };
}

const manifest = z.looseObject({
  apiVersion: z.literal('cellpost.dev/v1alpha1'),
  kind: z.literal('Cell'),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
  spec: z.record(z.string(), z.unknown()).optional(),
});

/** @param path `-`: standard input @throws when it holds no Cell */
export async function readManifest(path: string): Promise<KubeObject> {
  const source = path === '-' ? await text(process.stdin) : await readFile(path, 'utf8');
  const result = manifest.safeParse(parse(source));
  if (!result.success) throw new Error(`${path === '-' ? 'Standard input' : path} must hold one Cell.`);
  const { apiVersion, kind, metadata, spec = {} } = result.data;
  const { name, namespace } = metadata;
  const object = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    spec,
  };
  return object;
}
