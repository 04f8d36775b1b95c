// Volumes grow: claims first, then the StatefulSets, which are made anew around pods that go on.
import { roleName } from '../../resources/owner.ts';
import { ApiError } from '../../runtime/api-error.ts';
import { TYPES } from '../../runtime/resources.ts';
import { DONE, waitFor, type StepResult } from '../../runtime/steps.ts';
import type { CellSpec } from '../../types.ts';
import type { CellWork } from '../steps.ts';
import { claimsOf, type StoredRole } from './sizes.ts';
import { volumesPlan, type RoleVolumes } from './volumes-plan.ts';

const FORBIDDEN = 403;
const INVALID = 422;

export async function growVolumes(work: CellWork): Promise<StepResult> {
  const { world, context } = work;
  const plan = volumesPlan(rolesOf(work));
  for (const { claim, size } of plan.grow) {
    const { name, namespace = '' } = claim.metadata;
    const patch = { spec: { resources: { requests: { storage: String(size) } } } };
    try {
      const grown = await world.api.patch<typeof claim>(TYPES.volumeClaim, { name, namespace }, patch);
      world.caches.volumeClaims.observe(grown);
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== FORBIDDEN && error.status !== INVALID))
        throw error;
      return waitFor(`The StorageClass of ${name} must let its volumes grow to ${size}: ${error.message}`);
    }
  }
  for (const role of plan.remake) {
    const set = world.caches.statefulSets.get(context.owner.namespace, roleName(context.owner, role));
    if (set) await world.api.delete(set, 'Orphan');
  }
  if (plan.waitsFor !== undefined) return waitFor(plan.waitsFor);
  const [role] = plan.remake;
  return role ? waitFor(`StatefulSet ${roleName(context.owner, role)} must be made anew.`) : DONE;
}

function rolesOf({ world, context, asked }: CellWork): RoleVolumes[] {
  return askedSizes(asked).map(({ role, size }) => {
    const set = world.caches.statefulSets.get(context.owner.namespace, roleName(context.owner, role));
    const goes = set?.metadata.deletionTimestamp !== undefined;
    return {
      role,
      asked: size,
      template: goes ? undefined : set?.spec.volumeClaimTemplates?.[0]?.spec.resources?.requests?.storage,
      claims: claimsOf(world.caches, context.owner, role),
    };
  });
}

function askedSizes({ zookeeper, hbase }: CellSpec): { role: StoredRole; size: string | number }[] {
  const { hdfs } = hbase;
  return [
    { role: 'zookeeper', size: zookeeper.storage.size },
    ...(hdfs
      ? [
          { role: 'journal-node' as const, size: hdfs.journalNodes.volume.size },
          { role: 'name-node' as const, size: hdfs.nameNodes.volume.size },
          { role: 'data-node' as const, size: hdfs.dataNodes.volume.size },
        ]
      : [{ role: 'hbase' as const, size: hbase.volume.size }]),
  ];
}
