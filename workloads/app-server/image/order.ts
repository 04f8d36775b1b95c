// Lists of emails by receivedAt, oldest first; the id breaks ties. Mail mostly arrives in order, so an insertion is nearly
// always at the end; a page of such a list costs the same whatever its length.
import type { EmailRecord } from './model.ts';

export function compareByDate(a: EmailRecord, b: EmailRecord): number {
  return a.receivedAtMs - b.receivedAtMs || a.id - b.id;
}

/** @returns the first index whose email is not before `email` */
function place(list: readonly EmailRecord[], email: EmailRecord): number {
  let low = 0;
  let high = list.length;
  const last = list.at(-1);
  if (last && compareByDate(last, email) < 0) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = list[middle];
    if (there && compareByDate(there, email) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function insertByDate(list: EmailRecord[], email: EmailRecord): void {
  const index = place(list, email);
  if (index === list.length) list.push(email);
  else list.splice(index, 0, email);
}

export function removeByDate(list: EmailRecord[], email: EmailRecord): void {
  const index = place(list, email);
  if (list[index] === email) list.splice(index, 1);
}

/** @returns where the email stands in the list, or -1 */
export function indexByDate(list: readonly EmailRecord[], email: EmailRecord): number {
  const index = place(list, email);
  return list[index] === email ? index : -1;
}
