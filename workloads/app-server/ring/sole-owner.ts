// The gate of a server that has its logs to itself: no ring, no lease. For tests and offline tools.
import type { OwnershipGate } from '../log/user-log-types.ts';
import { Misdirected } from '../log/user-log-errors.ts';

/** @param session must be another one each time the logs are opened, so that earlier writers are fenced */
export function soleOwner(server: string, session: string): OwnershipGate {
  return {
    assertOwner() {},
    tenure: () => ({ server, session }),
    redirect: (key) => new Misdirected(key, undefined, 0, 0),
  };
}
