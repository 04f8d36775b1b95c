// The recipe of a cell that hibernates: users are told, then the pods go in reverse order of their start. Each role ends
// before the next does: app servers leave the ring, HBase flushes and takes itself out of ZooKeeper. Objects, claims and
// volumes stay, and so does spec.appServers.replicas: how many there are when it wakes.
import { ofRole } from '../observe.ts';
import type { StatefulSet } from '../resources/manifests.ts';
import { roleName, type Owner, type Role } from '../resources/owner.ts';
import { TYPES, type KubeObject } from '../runtime/resources.ts';
import { DONE, waitFor, type Step, type StepResult } from '../runtime/steps.ts';
import { ensureAll, type Caches } from '../world.ts';
import { appServerResources, credentialsSecret } from './resources/app-servers.ts';
import { cellEnsembleResources } from './resources/ensemble.ts';
import { storageResources, storageRoles } from './resources/storage.ts';
import { recordOf } from './storage-steps.ts';
import { publishCell, type CellStepName, type CellWork } from './steps.ts';

export function hibernationSteps(work: CellWork): Step<CellStepName>[] {
  const { context, cell, credentials } = work;
  const storage = storageRoles(cell.spec).toReversed();
  const stop = (role: Role, objects: KubeObject[]) => () => stopRole(work, role, objects);
  return [
    {
      name: 'discovery',
      title: 'Tell discovery that the cell hibernates',
      needs: [],
      // A cell that was never published has no users.
      run: () => (work.marks.discovery ? publishCell(work) : Promise.resolve(DONE)),
    },
    {
      name: 'app-servers',
      title: 'Stop app servers',
      needs: ['discovery'],
      run: stop('app-server', [
        credentialsSecret(context.owner, credentials),
        ...appServerResources(context, cell.spec, credentials),
      ]),
    },
    ...storage.map(({ role, called }, index): Step<CellStepName> => ({
      name: role,
      title: `Stop ${called}`,
      needs: [storage[index - 1]?.role ?? 'app-servers'],
      run: stop(role, storageResources(context, cell.spec, role, recordOf(work))),
    })),
    {
      name: 'zookeeper',
      title: 'Stop ZooKeeper',
      needs: [storage.at(-1)?.role ?? 'app-servers'],
      run: stop('zookeeper', cellEnsembleResources(context, cell.spec)),
    },
  ];
}

async function stopRole(
  { world, context }: CellWork,
  role: Role,
  objects: KubeObject[],
): Promise<StepResult> {
  await ensureAll(world, withoutPods(objects));
  const left = podsLeft(world.caches, context.owner, role);
  if (left === 0) return DONE;
  return waitFor(`Pods of ${roleName(context.owner, role)} must end; ${left} are left.`);
}

/** The same objects, but no StatefulSet runs a pod. */
function withoutPods(objects: KubeObject[]): KubeObject[] {
  return objects.map((object) =>
    object.kind === TYPES.statefulSet.kind
      ? { ...object, spec: { ...(object as StatefulSet).spec, replicas: 0 } }
      : object,
  );
}

/** Pods are only known to be gone once the StatefulSet's controller has seen that there shall be none. */
function podsLeft(caches: Caches, owner: Owner, role: Role): number {
  const pods = ofRole(caches.pods, owner, role).length;
  const set = caches.statefulSets.get(owner.namespace, roleName(owner, role));
  const seen = set?.status?.observedGeneration === set?.metadata.generation;
  return seen ? Math.max(pods, set?.status?.replicas ?? 0) : Math.max(pods, 1);
}
