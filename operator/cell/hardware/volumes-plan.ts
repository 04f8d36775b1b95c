// Volumes that grow: a pure function of what is asked and what was seen. Claims grow while their pods run; a StatefulSet
// can't change its template for claims, so it is made anew around its pods.
import { bytesOf } from '../../runtime/quantity.ts';
import type { ClaimObject } from '../../world.ts';
import type { StoredRole } from './sizes.ts';

export type RoleVolumes = {
  role: StoredRole;
  asked: string | number;
  /** What the StatefulSet's template says; undefined: there is no StatefulSet, or it goes just now. */
  template: string | number | undefined;
  claims: readonly ClaimObject[];
};

export type VolumesPlan = {
  /** Claims that must ask for more. */
  grow: { claim: ClaimObject; size: string | number }[];
  /** Roles whose claims ask for enough, and whose StatefulSet is made anew for the next ones. */
  remake: StoredRole[];
  /** A claim that has not grown yet, in a sentence. */
  waitsFor: string | undefined;
};

export function volumesPlan(roles: readonly RoleVolumes[]): VolumesPlan {
  const plan: VolumesPlan = { grow: [], remake: [], waitsFor: undefined };
  for (const { role, asked, template, claims } of roles) {
    const small = claims.filter(({ spec }) => isLess(spec.resources?.requests?.storage, asked));
    plan.grow.push(...small.map((claim) => ({ claim, size: asked })));
    if (small.length === 0 && template !== undefined && isLess(template, asked)) plan.remake.push(role);
    for (const claim of claims) plan.waitsFor ??= growing(claim, asked);
  }
  return plan;
}

/** A claim that is not bound yet will be bound to a volume of the size that it asks for then. */
function growing({ metadata, status }: ClaimObject, asked: string | number): string | undefined {
  const capacity = status?.capacity?.storage;
  if (capacity === undefined || !isLess(capacity, asked)) return undefined;
  const said = status?.conditions?.find((one) => one.status === 'True' && one.message)?.message;
  return `The volume of ${metadata.name} must grow from ${capacity} to ${asked}${said ? ` (${said})` : ''}.`;
}

const isLess = (size: string | number | undefined, than: string | number): boolean =>
  size !== undefined && bytesOf(size) < bytesOf(than);
