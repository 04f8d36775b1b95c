// People who repair something by hand ask the operator to keep its hands off.
import type { KubeObject } from './runtime/resources.ts';

/** With the value "true" on a Cell or Platform: neither its objects nor its status are written, nor is it deleted. */
const UNMANAGED = 'cellpost.dev/unmanaged';

export const isUnmanaged = ({ metadata }: KubeObject): boolean =>
  metadata.annotations?.[UNMANAGED] === 'true';
