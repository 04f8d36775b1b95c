// Makes objects so, and writes nothing when they are.
import { createHash } from 'node:crypto';
import type { KubeApi } from './api.ts';
import { covers } from './covers.ts';
import { TYPES, keyOf, type KubeObject } from './resources.ts';
import type { WatchCache } from './watch-cache.ts';

/** The hash of what was applied last: fields that the operator no longer wants are found by it. */
const APPLIED_ANNOTATION = 'cellpost.dev/applied';

/** An object of the wanted name is there and belongs to somebody else. */
class NotOurs extends Error {
  override name = 'NotOurs';
}

/**
 * Applies `wanted` unless the live object has it all already, from whatever operator. Objects have one controlling
 * owner; an object that has another owner is left alone.
 * @returns the object as it is now, or as the cache knows it
 * @throws NotOurs, ApiError
 */
export async function ensure<T extends KubeObject>(
  api: KubeApi,
  cache: WatchCache<KubeObject>,
  wanted: T,
): Promise<T> {
  const hash = hashOf(wanted);
  const desired: T = {
    ...wanted,
    metadata: {
      ...wanted.metadata,
      annotations: { ...wanted.metadata.annotations, [APPLIED_ANNOTATION]: hash },
    },
  };
  const { namespace = '', name } = wanted.metadata;
  const known = cache.get(namespace, name);
  // The cache holds labelled objects only and may lag: what it lacks may be there, and be somebody else's.
  const made = known ? undefined : await api.applyNew<T>(desired);
  if (made) {
    cache.observe(made);
    return made;
  }
  const live = known ?? (await api.find<KubeObject>(cache.type, { namespace, name }));
  if (live) {
    if (!sameOwner(live, wanted))
      throw new NotOurs(`${live.kind} ${keyOf(live)} exists and is not of this owner.`);
    // Same type, same name: what it lacks to be a T is found by covers().
    if (covers(live, desired)) return live as T;
    if (rollsByItself(live) && !rollsByItself(wanted)) await stopRolling(api, live);
  }
  const applied = await api.apply<T>(desired);
  cache.observe(applied);
  return applied;
}

type Rolling = { spec?: { updateStrategy?: { type?: string } } };

const rollsByItself = (object: KubeObject & Rolling): boolean =>
  object.kind === TYPES.statefulSet.kind && object.spec?.updateStrategy?.type !== 'OnDelete';

/**
 * Makes a StatefulSet of an operator before this one OnDelete. Its strategy has a default of the API server's that no
 * manager owns, so applying does not remove it, and OnDelete forbids it.
 */
async function stopRolling(api: KubeApi, { metadata: { name, namespace = '' } }: KubeObject): Promise<void> {
  const patch = { spec: { updateStrategy: { type: 'OnDelete', rollingUpdate: null } } };
  await api.patch(TYPES.statefulSet, { name, namespace }, patch);
}

/** The uid of the controlling owner must be the same on both; an object that is on its way out will be made again. */
function sameOwner(live: KubeObject, wanted: KubeObject): boolean {
  return controllerOf(live) === controllerOf(wanted);
}

function controllerOf(object: KubeObject): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller)?.uid;
}

/** Stable over runs: builders make their fields in a fixed order. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, HASH_LENGTH);
}

/** 64 bits: enough to tell apart the few versions of one object. */
const HASH_LENGTH = 16;
