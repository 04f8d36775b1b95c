// What one table of ids calls users, in the numbers of another.
import type { IdTable } from './id-table.ts';
import type { UserWords } from './word-lists.ts';

/** The same words in other numbers. */
export function renumbered(words: UserWords, numberOf: (user: number) => number): UserWords {
  return { added: mapped(words.added, numberOf), removed: mapped(words.removed, numberOf) };
}

function mapped(list: Uint32Array, numberOf: (user: number) => number): Uint32Array {
  const result = list.map(numberOf);
  // Mostly both tables have got the ids in the same order.
  for (let i = 1; i < result.length; i++)
    if ((result[i] as number) < (result[i - 1] as number)) return result.sort();
  return result;
}

/** Gives each user of one table a number in another one when it is asked for. */
export function numbersIn(to: IdTable, from: IdTable): (user: number) => number {
  /** Number + 1; 0: not asked for yet. */
  let known = new Uint32Array(from.size);
  return (user) => {
    if (user >= known.length) {
      const larger = new Uint32Array(from.size);
      larger.set(known);
      known = larger;
    }
    return (known[user] ||= to.add(from.id(user)) + 1) - 1;
  };
}
