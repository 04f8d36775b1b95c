// Trees as a whole: which pages a snapshot of them must store, and which the one before it stored in vain.
import { encodePage, openBranch, pageId, type PageRef } from './page.ts';
import type { Tree } from './tree.ts';

/** Every page of the trees that the store does not have, lower ones first. */
export function* unstoredPages(trees: readonly Tree[]): Generator<PageRef, void, undefined> {
  for (const { root, height } of trees) if (root) yield* unstoredBelow(root, height);
}

function* unstoredBelow(ref: PageRef, level: number): Generator<PageRef, void, undefined> {
  if (ref.isStored) return;
  if (level > 0) for (const child of openBranch(ref).children) yield* unstoredBelow(child, level - 1);
  yield ref;
}

/** Every page of the trees, lower ones first. @throws PageMissing */
export function* allPages(trees: readonly Tree[]): Generator<PageRef, void, undefined> {
  for (const { root, height } of trees) if (root) yield* pagesBelow(root, height);
}

function* pagesBelow(ref: PageRef, level: number): Generator<PageRef, void, undefined> {
  if (level > 0) for (const child of openBranch(ref).children) yield* pagesBelow(child, level - 1);
  yield ref;
}

/**
 * Finds the pages of some trees that others don't have, without looking below those that both have.
 * @returns their ids, of those that are in the store @throws PageMissing
 */
export function pagesGone(before: readonly Tree[], after: readonly Tree[]): string[] {
  const gone: string[] = [];
  let old: PageRef[] = [];
  let now: PageRef[] = [];
  for (let level = Math.max(0, ...[...before, ...after].map(({ height }) => height)); level >= 0; level--) {
    old.push(...rootsAt(before, level));
    now.push(...rootsAt(after, level));
    const oldIds = new Set(old.map(pageId));
    const nowIds = new Set(now.map(pageId));
    old = old.filter((ref) => !nowIds.has(pageId(ref)));
    now = now.filter((ref) => !oldIds.has(pageId(ref)));
    for (const ref of old) if (ref.isStored) gone.push(pageId(ref));
    if (level === 0) break;
    old = old.flatMap((ref) => openBranch(ref).children);
    now = now.flatMap((ref) => openBranch(ref).children);
  }
  return gone;
}

function rootsAt(trees: readonly Tree[], level: number): PageRef[] {
  return trees.flatMap(({ root, height }) => (root && height === level ? [root] : []));
}

/** @throws PageMissing */
export function storedForm(ref: PageRef): { id: string; bytes: Uint8Array } {
  return { id: pageId(ref), bytes: encodePage(ref) };
}
