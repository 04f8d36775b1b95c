// Ids derive from where a thing was made in its user's log: action `index` of entry `seq`. So a replay makes the same ids,
// and nothing has to remember which numbers are taken.

/** Actions of one entry; an entry of the largest size holds fewer. */
const ACTIONS_PER_ENTRY = 2 ** 20;

/**
 * Entry and action as one number that orders by both: also what change tracking compares; 0 is before every action. Exact
 * to 2^33 entries a user.
 */
export type Ordinal = number;

export function ordinal(at: { seq: number; index: number }): Ordinal {
  return at.seq * ACTIONS_PER_ENTRY + at.index;
}

export function seqOf(at: Ordinal): number {
  return Math.floor(at / ACTIONS_PER_ENTRY);
}

export function indexOf(at: Ordinal): number {
  return at % ACTIONS_PER_ENTRY;
}

function format(letter: string, at: Ordinal): string {
  return `${letter}${seqOf(at)}-${indexOf(at)}`;
}

const ID = /^([emts])(0|[1-9]\d{0,9})-(0|[1-9]\d{0,6})$/;

/** @returns undefined for anything that `format` does not make */
function parse(letter: string, id: string): Ordinal | undefined {
  const match = ID.exec(id);
  if (!match || match[1] !== letter) return undefined;
  const seq = Number(match[2]);
  const index = Number(match[3]);
  return index < ACTIONS_PER_ENTRY ? ordinal({ seq, index }) : undefined;
}

export const emailId = (at: Ordinal): string => format('e', at);
export const mailboxId = (at: Ordinal): string => format('m', at);
export const threadId = (at: Ordinal): string => format('t', at);
/** A JMAP state string: the last action that changed the type. */
export const stateString = (at: Ordinal): string => format('s', at);

export const parseEmailId = (id: string): Ordinal | undefined => parse('e', id);
export const parseMailboxId = (id: string): Ordinal | undefined => parse('m', id);
export const parseThreadId = (id: string): Ordinal | undefined => parse('t', id);
export const parseStateString = (id: string): Ordinal | undefined => parse('s', id);
