// Is an image that servers of the cell run one that has to prove itself?
import { roleName } from '../../resources/owner.ts';
import type { StatefulSetObject } from '../../world.ts';
import type { ImageKind } from '../images.ts';
import type { CellWork } from '../steps.ts';
import { ROLL_ROLES } from './roles.ts';

/** The image that such servers shall run has not proven itself, and there is one that has; some have been told to run it. */
export function onTrial(work: CellWork, kind: ImageKind): boolean {
  const { good } = work.marks.images[kind];
  const image = work.context.images[kind];
  return good !== undefined && good !== image && setsOf(work, kind).some((set) => imageOf(set) === image);
}

/** The StatefulSets whose pods run an image of the kind. */
export function setsOf({ world, context: { owner } }: CellWork, kind: ImageKind): StatefulSetObject[] {
  return ROLL_ROLES.filter(({ image }) => image === kind).flatMap(
    ({ role }) => world.caches.statefulSets.get(owner.namespace, roleName(owner, role)) ?? [],
  );
}

/** What new pods of it run. */
export const imageOf = ({ spec }: StatefulSetObject): string | undefined =>
  spec.template?.spec.containers[0]?.image;
