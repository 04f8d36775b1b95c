// What an image knows about where mail goes: the user's own rules and words on senders, whom the user wrote to, and which
// messages were filed without knowing who sent them.
import { hash } from 'node:crypto';
import type { CorrespondentsAdded, FilingRule, Folder, MessageRefiled, SenderFiled } from '../log/actions.ts';
import type { Ordinal } from './ids.ts';
import type { UserImage } from './model.ts';
import { together } from './pages/page.ts';
import { Tree } from './pages/tree.ts';
import { CORRESPONDENTS, DIGEST_BYTES } from './record-keys.ts';

export type Filing = {
  readonly rules: readonly FilingRule[];
  /** By address, in the order in which they were said last. */
  readonly senders: ReadonlyMap<string, Folder>;
  /** Emails that were filed unsure and not touched since, oldest first. */
  readonly unsure: readonly Ordinal[];
  /** The last action that changed a rule or a word on a sender. */
  readonly changedAt: Ordinal;
};

export const NO_FILING: Filing = { rules: [], senders: new Map(), unsure: [], changedAt: 0 };

/** Words on senders: they are in memory with every user who has been seen lately. The oldest go. */
export const MAX_SENDERS = 1_000;
/** Messages that wait for the user index; the oldest stay where they are. */
const MAX_UNSURE = 1_000;
/** Addresses that the user wrote to: so many at least are remembered, and up to twice as many. */
const MIN_CORRESPONDENTS = 4_096;

export function noteUnsure({ filing }: UserImage, email: Ordinal): Filing {
  return { ...filing, unsure: [...filing.unsure, email].slice(-MAX_UNSURE) };
}

/** It was refiled, or the user has touched it. */
export function noteSure(image: UserImage, email: Ordinal): UserImage {
  const { filing } = image;
  if (!filing.unsure.includes(email)) return image;
  return { ...image, filing: { ...filing, unsure: filing.unsure.filter((each) => each !== email) } };
}

export function fileSender(image: UserImage, { address, folder }: SenderFiled, at: Ordinal): UserImage {
  const senders = new Map(image.filing.senders);
  senders.delete(address);
  if (folder !== '') senders.set(address, folder);
  if (senders.size > MAX_SENDERS) for (const oldest of senders.keys()) if (senders.delete(oldest)) break;
  return { ...image, filing: { ...image.filing, senders, changedAt: at } };
}

/** Is the refiled message moved, too? */
export function isMove({ mailboxIds }: MessageRefiled): boolean {
  return mailboxIds.length > 0;
}

function digest(address: string): Uint8Array {
  return hash('sha256', address, 'buffer').subarray(0, DIGEST_BYTES);
}

/** @throws PageMissing */
export function addCorrespondents(image: UserImage, { addresses }: CorrespondentsAdded): UserImage {
  let { correspondents, olderCorrespondents } = image;
  for (const address of addresses) {
    if (correspondents.size >= MIN_CORRESPONDENTS) {
      olderCorrespondents = correspondents;
      correspondents = new Tree(CORRESPONDENTS);
    }
    correspondents = correspondents.put(digest(address));
  }
  return { ...image, correspondents, olderCorrespondents };
}

/** Did the user write to this address? @param address normalized @throws PageMissing */
export function isCorrespondent(image: UserImage, address: string): boolean {
  const key = digest(address);
  const found = together([() => image.correspondents.has(key), () => image.olderCorrespondents.has(key)]);
  return found.includes(true);
}

/** Those to whom the user did not write lately, so that it is to be noted. @throws PageMissing */
export function newCorrespondents({ correspondents }: UserImage, addresses: readonly string[]): string[] {
  const known = together(addresses.map((address) => () => correspondents.has(digest(address))));
  return addresses.filter((_, index) => !known[index]);
}
