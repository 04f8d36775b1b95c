// What was filed unsure is filed again once it is known who sent it.
import { emailId } from '../image/ids.ts';
import type { Degree } from '../relations.ts';
import { chooseFolder, folderOf } from './folders.ts';
import { userOf, type Tx } from './users.ts';

/**
 * Adds to the log what is known now of messages that were filed unsure. Those that the user has touched since stay
 * as they are. @returns how many were moved
 */
export function refileUnsure(tx: Tx, degrees: ReadonlyMap<number, Degree>): number {
  let moved = 0;
  for (const [email, degree] of degrees) {
    if (!userOf(tx).filing.unsure.includes(email)) continue;
    const folder = chooseFolder({ junk: false, degree, isUnsure: false });
    const mailboxIds = folder === 'inbox' ? [folderOf(tx, folder)] : [];
    tx.add({ type: 'messageRefiled', emailId: emailId(email), mailboxIds });
    moved += mailboxIds.length;
  }
  return moved;
}
