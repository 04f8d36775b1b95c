// Whom a command is about: people name users by an address, programs by the id.
import type { Cells } from '../workloads/common/cell-client/cells.ts';
import { isUserId, normalizeAddress } from '../workloads/common/keys.ts';

/** @param given a mailbox address, a phone number or a user id @returns the user's id @throws with a sentence when there is nobody */
export async function findUser(cells: Cells, given: string): Promise<string> {
  if (isUserId(given)) return given;
  const address = normalizeAddress(given);
  if (!address)
    throw new Error(
      `${given} is neither an address (local@domain), nor a phone number (+49 30 123456), nor a user id.`,
    );
  const userId = await cells.resolveAddress(address);
  if (!userId) throw new Error(`Nobody has the address ${address}.`);
  return userId;
}
