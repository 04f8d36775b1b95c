// Is the version that app servers run one that has to prove itself?
import { roleName } from '../../resources/owner.ts';
import type { CellWork } from '../steps.ts';

/** The image that app servers shall run, and are asked to, has not proven itself, and there is one that has. */
export function onTrial({ world, context, marks }: CellWork): boolean {
  const { owner, images } = context;
  if (marks.goodImage === undefined || marks.goodImage === images.cellpost) return false;
  const set = world.caches.statefulSets.get(owner.namespace, roleName(owner, 'app-server'));
  return set?.spec.template?.spec.containers[0]?.image === images.cellpost;
}
