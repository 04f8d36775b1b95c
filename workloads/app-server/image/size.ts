// How much memory an image takes, about: what the cache of images is bounded by. The numbers were measured on Node 24.
import type { Image, UserImage } from './model.ts';
import type { Branch, Leaf, Page, PageRef } from './pages/page.ts';
import { treesOf } from './trees.ts';

const IMAGE_BYTES = 2_500;
const MAILBOX_BYTES = 250;
const ADDRESS_BYTES = 200;
/** An address or a domain, as they mostly are. */
const PRIVACY_ITEM_BYTES = 64;
/** A word on a sender, a rule, as they mostly are. */
const SENDER_BYTES = 100;
const RULE_BYTES = 400;
/** The objects around a page's bytes. */
const PAGE_BYTES = 350;
/** A reference to a page with its id. */
const REF_BYTES = 120;

/** @returns its memory, and how much of it a snapshot would let go */
export function imageSize(image: Image): { bytes: number; unsavedBytes: number } {
  if (image.kind === 'address') return { bytes: ADDRESS_BYTES, unsavedBytes: 0 };
  const { rules, senders, unsure } = image.filing;
  let bytes = IMAGE_BYTES + image.mailboxes.size * MAILBOX_BYTES + privacyItems(image) * PRIVACY_ITEM_BYTES;
  bytes += rules.length * RULE_BYTES + senders.size * SENDER_BYTES + unsure.length * 8;
  let unsavedBytes = 0;
  for (const ref of pagesInMemory(image)) {
    const size = pageBytes(ref.page as Page);
    bytes += size;
    if (!ref.isStored) unsavedBytes += size;
  }
  return { bytes, unsavedBytes };
}

function privacyItems({ privacy }: UserImage): number {
  const { blockedAddresses, blockedDomains, mutedSenders, mutedThreads } = privacy;
  return blockedAddresses.length + blockedDomains.length + mutedSenders.length + mutedThreads.length;
}

/** Lets go pages that the store has: first those that were not used since the last time, then all, until so many bytes are left. */
export function unloadPages(image: Image, bytesToKeep: number): void {
  if (image.kind === 'address') return;
  let left = imageSize(image).bytes;
  for (const evenUsed of [false, true]) {
    for (const ref of pagesInMemory(image)) {
      if (left <= bytesToKeep) return;
      if (!ref.isStored || !ref.page) continue;
      if (ref.wasUsed && !evenUsed) ref.wasUsed = false;
      else {
        left -= pageBytes(ref.page);
        ref.page = undefined;
      }
    }
  }
}

function pageBytes(page: Page): number {
  return page.level === 0
    ? PAGE_BYTES + (page as Leaf).records.length
    : PAGE_BYTES + (page as Branch).keys.length + (page as Branch).children.length * REF_BYTES;
}

/** Lower pages come before those above them. */
function* pagesInMemory(image: UserImage): Generator<PageRef, void, undefined> {
  for (const tree of treesOf(image)) if (tree.root) yield* pagesBelow(tree.root);
}

function* pagesBelow(ref: PageRef): Generator<PageRef, void, undefined> {
  if (!ref.page) return;
  if (ref.page.level > 0) for (const child of (ref.page as Branch).children) yield* pagesBelow(child);
  yield ref;
}
