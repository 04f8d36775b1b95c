// The Secret that a platform's pods, and through copies its cells' pods, take their credentials from: the token that
// services show one another, made here once, and the keys of the blob store, copied from a Secret of the user's.
import { randomBytes } from 'node:crypto';
import { secret } from '../resources/manifests.ts';
import { childMeta, type Owner } from '../resources/owner.ts';
import { CREDENTIALS, credentialsName } from '../resources/service-pod.ts';
import { TYPES } from '../runtime/resources.ts';
import type { Platform } from '../types.ts';
import { ensureAll, type SecretObject, type World } from '../world.ts';

const TOKEN_BYTES = 32;

/** The blob store's keys are not there (yet). The message is a sentence for people. */
class CredentialsMissing extends Error {
  override name = 'CredentialsMissing';
}

/** @returns the values, plain @throws CredentialsMissing */
export async function ensureCredentials(
  world: World,
  owner: Owner,
  platform: Platform,
): Promise<Record<string, string>> {
  const { name } = platform.spec.blobStore.s3.secretRef;
  const given = valuesOf(
    await world.api.get<SecretObject>(TYPES.secret, { namespace: owner.namespace, name }),
  );
  const accessKeyId = given[CREDENTIALS.accessKeyId];
  const secretAccessKey = given[CREDENTIALS.secretAccessKey];
  if (!accessKeyId || !secretAccessKey) {
    throw new CredentialsMissing(
      `Secret ${name} must have the keys ${CREDENTIALS.accessKeyId} and ${CREDENTIALS.secretAccessKey}.`,
    );
  }
  // A token that was lost would lock all services out, so the API server itself is asked before one is made.
  const at = { namespace: owner.namespace, name: credentialsName(owner) };
  const own =
    world.caches.secrets.get(at.namespace, at.name) ?? (await world.api.get<SecretObject>(TYPES.secret, at));
  const values = {
    [CREDENTIALS.platformToken]:
      valuesOf(own)[CREDENTIALS.platformToken] ?? randomBytes(TOKEN_BYTES).toString('hex'),
    [CREDENTIALS.accessKeyId]: accessKeyId,
    [CREDENTIALS.secretAccessKey]: secretAccessKey,
  };
  await ensureAll(world, [secret(childMeta(owner, at.name), values)]);
  return values;
}

/** A Secret's values, decoded; empty ones are left out. */
export function valuesOf(object: SecretObject | undefined): Record<string, string> {
  const entries = Object.entries(object?.data ?? {}).map(([name, value]): [string, string] => [
    name,
    Buffer.from(value, 'base64').toString(),
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== ''));
}
