// Finalizers keep an object until its owner's work for it is done.
import { typeOf, type KubeObject } from './runtime/resources.ts';
import type { WatchCache } from './runtime/watch-cache.ts';
import type { World } from './world.ts';

/** Adds it, if the object has not changed meanwhile. @throws ApiError 409 when it has */
export async function addFinalizer<T extends KubeObject>(
  world: World,
  cache: WatchCache<T>,
  object: T,
  finalizer: string,
): Promise<void> {
  const { finalizers = [] } = object.metadata;
  if (finalizers.includes(finalizer)) return;
  cache.observe(await patch(world, object, [...finalizers, finalizer]));
}

/** Removes it: the object goes when it was the last one. @throws ApiError 409 when the object has changed meanwhile */
export async function removeFinalizer(world: World, object: KubeObject, finalizer: string): Promise<void> {
  const { finalizers = [] } = object.metadata;
  if (!finalizers.includes(finalizer)) return;
  await patch(
    world,
    object,
    finalizers.filter((name) => name !== finalizer),
  );
}

function patch<T extends KubeObject>(world: World, object: T, finalizers: string[]): Promise<T> {
  const { name, namespace = '', resourceVersion } = object.metadata;
  return world.api.patch<T>(
    typeOf(object),
    { namespace, name },
    { metadata: { resourceVersion, finalizers } },
  );
}
