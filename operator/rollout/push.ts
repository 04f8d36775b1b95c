// Writes what a rollout gives, and beside it, in the same write, what was there before: whatever crashes afterwards, a rollback knows.
// The fields belong to a manager of their own, so that going back to "none" only lets go of the field.
import { typeOf, type KubeObject } from '../runtime/resources.ts';
import type { World } from '../world.ts';
import { givenBy } from './given.ts';
import { MARK_ANNOTATION, type Mark, type Member } from './member.ts';
import { iso } from './plan.ts';
import type { Given, Rollout } from './types.ts';

const FIELD_MANAGER = 'cellpost-rollout';

/** @throws ApiError 409 when the object has gone meanwhile: it is not made anew */
export async function pushGiven(world: World, rollout: Rollout, member: Member): Promise<void> {
  const { asks } = member;
  const given = givenBy(rollout.spec);
  await write(world, member, given, given, {
    rollout: rollout.metadata.uid ?? '',
    previous: asks.version ?? null,
    ...(given.hbase !== undefined && { previousHbase: asks.hbase ?? null }),
    back: false,
    at: iso(new Date()),
  });
}

/** Back to what the member had before. @throws ApiError 409 when the object has gone meanwhile */
export async function takeBack(world: World, rollout: Rollout, member: Member): Promise<void> {
  const { mark } = member;
  if (!mark) return;
  const before = { version: mark.previous ?? undefined, hbase: mark.previousHbase ?? undefined };
  await write(world, member, givenBy(rollout.spec), before, { ...mark, back: true, at: iso(new Date()) });
}

/**
 * @param given what the rollout is about
 * @param values of that; undefined: the field is let go
 */
async function write(world: World, member: Member, given: Given, values: Given, mark: Mark): Promise<void> {
  const kept = await setBefore(world, member);
  const version = given.version === undefined ? kept.version : values.version;
  const hbase = given.hbase === undefined ? kept.hbase : values.hbase;
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
    spec: {
      ...(version !== undefined && { version }),
      ...(hbase !== undefined && { images: { hbase } }),
    },
  };
  const cache = member.kind === 'cell' ? world.caches.cells : world.caches.platforms;
  cache.observe(await world.api.apply(wanted, undefined, FIELD_MANAGER));
}

type Written = KubeObject & {
  metadata: { managedFields?: { manager?: string; operation?: string; fieldsV1?: Fields }[] };
  spec: { version?: string; images?: { hbase?: string } };
};
type Fields = { [path: string]: Fields };

/** What rollouts have set so far, of the fields that are theirs: an apply that leaves one out takes it away. */
async function setBefore(world: World, { object }: Member): Promise<Given> {
  const { name, namespace = '' } = object.metadata;
  const live = await world.api.find<Written>(typeOf(object), { namespace, name });
  const fields = live?.metadata.managedFields?.find(
    ({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply',
  )?.fieldsV1?.['f:spec'];
  return {
    version: fields?.['f:version'] && live?.spec.version,
    hbase: fields?.['f:images']?.['f:hbase'] && live?.spec.images?.hbase,
  };
}
