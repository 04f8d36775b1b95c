// Whose an address is: the word of the address's own log, which mail follows, and the list in the user's log. Each change of
// the two is one of each, repeated until both are done (docs/adr/0067-addresses-that-change-hands.md).
import { asUser } from '../image/model.ts';
import { userOf, type Tx } from './users.ts';

/** Addresses of one user. */
export const MAX_ADDRESSES = 64;

/** Gives the address to the user. @param cell where this is @returns 'taken' when another has it */
export function assignAddress(tx: Tx, cell: string, userId: string): 'assigned' | 'exists' | 'taken' {
  const image = tx.state;
  if (image.kind !== 'address') return 'taken';
  if (image.userId !== undefined) return image.userId === userId ? 'exists' : 'taken';
  tx.add({ type: 'addressAssigned', userId, cell });
  return 'assigned';
}

/** Takes the address from one user and gives it to another. @returns 'taken' when neither of the two has it */
export function moveAddress(tx: Tx, from: string, userId: string): 'moved' | 'exists' | 'taken' {
  const image = tx.state;
  if (image.kind !== 'address') return 'taken';
  if (image.userId === userId) return 'exists';
  if (image.userId !== from) return 'taken';
  tx.add({ type: 'addressMoved', userId, from });
  return 'moved';
}

/** Takes the address from the user, if that user has it. */
export function releaseAddress(tx: Tx, userId: string): void {
  if (tx.state.kind === 'address' && tx.state.userId === userId) tx.add({ type: 'addressReleased', userId });
}

/** The user's own list has the address from now on, as the last one. */
export function addAddress(tx: Tx, address: string): 'added' | 'exists' | 'noUser' | 'tooMany' {
  if (!asUser(tx.state)) return 'noUser';
  const { addresses } = userOf(tx).user;
  if (addresses.includes(address)) return 'exists';
  if (addresses.length >= MAX_ADDRESSES) return 'tooMany';
  tx.add({ type: 'addressesChanged', addresses: [...addresses, address] });
  return 'added';
}

/** The user's own list has the address no more. */
export function dropAddress(tx: Tx, address: string): 'dropped' | 'gone' | 'noUser' {
  if (!asUser(tx.state)) return 'noUser';
  const { addresses } = userOf(tx).user;
  if (!addresses.includes(address)) return 'gone';
  tx.add({ type: 'addressesChanged', addresses: addresses.filter((other) => other !== address) });
  return 'dropped';
}
