// Writes a version, and beside it, in the same write, what was there before: whatever crashes afterwards, a rollback knows.
// The fields belong to a manager of their own, so that taking the version back to "none" only lets go of the field.
import { typeOf } from '../runtime/resources.ts';
import type { World } from '../world.ts';
import { MARK_ANNOTATION, type Mark, type Member } from './member.ts';
import { iso } from './plan.ts';
import type { Rollout } from './types.ts';

const FIELD_MANAGER = 'cellpost-rollout';

/** @throws ApiError 409 when the object has gone meanwhile: it is not made anew */
export async function pushVersion(world: World, rollout: Rollout, member: Member): Promise<void> {
  const mark = { rollout: rollout.metadata.uid ?? '', previous: member.version ?? null, back: false };
  await write(world, member, rollout.spec.version, { ...mark, at: iso(new Date()) });
}

/** Back to what the member had before. @throws ApiError 409 when the object has gone meanwhile */
export async function takeBack(world: World, member: Member): Promise<void> {
  const { mark } = member;
  if (!mark) return;
  await write(world, member, mark.previous ?? undefined, { ...mark, back: true, at: iso(new Date()) });
}

async function write(world: World, member: Member, version: string | undefined, mark: Mark): Promise<void> {
  const { name, namespace, uid } = member.object.metadata;
  const { apiVersion, kind } = typeOf(member.object);
  const wanted = {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      annotations: { [MARK_ANNOTATION]: JSON.stringify(mark) },
    },
    spec: { ...(version !== undefined && { version }) },
  };
  const cache = member.kind === 'cell' ? world.caches.cells : world.caches.platforms;
  cache.observe(await world.api.apply(wanted, undefined, FIELD_MANAGER));
}
