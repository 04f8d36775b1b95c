// Stops roles one after another and removes their volumes. All else of an owner goes with it by garbage collection.
import { ofRole } from './observe.ts';
import type { Owner, Role } from './resources/owner.ts';
import { roleName } from './resources/owner.ts';
import type { KubeObject } from './runtime/resources.ts';
import { TYPES } from './runtime/resources.ts';
import type { World } from './world.ts';

/** One step further each time it is called. @returns what must happen before the next, undefined when all is gone */
export async function tearDown(world: World, owner: Owner, roles: Role[]): Promise<string | undefined> {
  const { api, caches } = world;
  for (const role of roles) {
    const name = roleName(owner, role);
    const sets: (KubeObject | undefined)[] = [
      caches.statefulSets.get(owner.namespace, name),
      caches.deployments.get(owner.namespace, name),
    ];
    for (const set of sets) {
      if (set && !set.metadata.deletionTimestamp && isOf(set, owner)) await api.delete(set);
    }
    const pods = ofRole(caches.pods, owner, role);
    if (pods.length > 0 || sets.some((set) => set && isOf(set, owner))) {
      return `Pods of ${name} must end; ${pods.length} are left.`;
    }
  }
  // The caches may lag behind a StatefulSet that was just made: the claims are listed anew from the API server.
  const { items } = await api.list<KubeObject>(TYPES.volumeClaim, {
    labelSelector: `cellpost.dev/${owner.kind.toLowerCase()}=${owner.name}`,
  });
  const claims = items.filter(({ metadata }) => metadata.namespace === owner.namespace);
  for (const claim of claims) {
    if (!claim.metadata.deletionTimestamp) await api.delete(claim);
  }
  return claims.length > 0 ? `${claims.length} volume claims must go.` : undefined;
}

/**
 * Stops a role that the owner wants no more. Its Service, budget and policy speak of no pod then, and go with the owner: the
 * operator may delete none.
 */
export async function stopRole({ api, caches }: World, owner: Owner, role: Role): Promise<void> {
  const name = roleName(owner, role);
  for (const cache of [caches.statefulSets, caches.deployments]) {
    const set = cache.get(owner.namespace, name);
    if (set && !set.metadata.deletionTimestamp && isOf(set, owner)) await api.delete(set);
  }
}

const isOf = (object: KubeObject, owner: Owner): boolean =>
  object.metadata.ownerReferences?.some(({ uid }) => uid === owner.uid) ?? false;
