// Snapshots of images: the small things and the newest pages in one piece, the other pages beside it, each written once.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { BadSnapshot, type EncodedSnapshot, type Snapshots } from '../log/user-log-types.ts';
import type { AddressImage, Image, UserImage } from './model.ts';
import { allPages, pagesGone, storedForm, unstoredPages } from './pages/forest.ts';
import { decodePage, hashPage, needPages, pageId, PageRef, type Branch } from './pages/page.ts';
import { Tree } from './pages/tree.ts';
import { fromWire, toWire, type WireSnapshot, type WireTree } from './snapshot-wire.ts';
import { recentTreesOf, treesOf } from './trees.ts';

/** What the bytes mean. Readers pass over others: the log has it all. */
const FORMAT = 1;

/** An image whose pages take no more is stored in one piece. */
const MAX_WHOLE_BYTES = 64 * 1024;

/** Pages that a check reads in one go. */
const CHECKED_AT_ONCE = 64;

const wireType = protobuf
  .parse(readFileSync(new URL('snapshot.proto', import.meta.url), 'utf8'))
  .root.lookupType('cellpost.image.ImageSnapshot');

export const imageSnapshots: Snapshots<Image> = {
  format: FORMAT,
  encode(image, before, garbage) {
    if (image.kind === 'address')
      return {
        bytes: encodeWire(wireAddress(image)),
        pages: [],
        unused: [],
        markStored: () => {},
      };
    return encodeUser(image, before?.kind === 'user' ? before : undefined, garbage);
  },
  decode(bytes) {
    const wire = decodeWire(bytes);
    const garbage = (wire.garbage ?? []).map((id) => Buffer.from(id).toString('hex'));
    const home = wire.home ?? undefined;
    if (!wire.user) {
      const { userId, formerUserId } = wire.address ?? {};
      const owners = { userId: userId ?? undefined, formerUserId: formerUserId ?? undefined };
      return { state: { kind: 'address', home, ...owners }, garbage };
    }
    const here = new Map((wire.pages ?? []).map((page) => [hashPage(page), page]));
    const trees = (wire.user.trees ?? []).map((tree) => (layout: Tree['layout']) => {
      const { root, height = 0, count = 0 } = tree;
      if (!root || root.length === 0) return undefined;
      return new Tree(layout, attach(Buffer.from(root).toString('hex'), count, here), height);
    });
    return { state: fromWire(wire.user, home, trees), garbage };
  },
  digest(image) {
    if (image.kind === 'address') return hashPage(encodeWire(wireAddress(image)));
    return hashPage(encodeWire({ user: toWire(image, treesOf(image).map(wireTree)), home: image.home }));
  },
  async check(image, look) {
    if (image.kind === 'address') return 0;
    const pages = await look(() => [...allPages(treesOf(image))]);
    for (let start = 0; start < pages.length; start += CHECKED_AT_ONCE) {
      const some = pages.slice(start, start + CHECKED_AT_ONCE);
      await look(() => needPages(some));
    }
    return pages.length;
  },
};

function wireAddress({ userId, formerUserId, home }: AddressImage): WireSnapshot {
  return { address: { userId, formerUserId }, home };
}

function encodeUser(
  image: UserImage,
  before: UserImage | undefined,
  garbage: readonly string[],
): EncodedSnapshot {
  const trees = treesOf(image);
  const isWhole = trees.reduce((sum, tree) => sum + treeBytes(tree), 0) <= MAX_WHOLE_BYTES;
  const inside = isWhole ? [...allPages(trees)] : [...newestPages(image)];
  const kept = new Set(inside);
  const outside = [...unstoredPages(trees)].filter((ref) => !kept.has(ref));
  const unused = before ? pagesGone(treesOf(before), isWhole ? [] : trees) : [];
  const pages = outside.map(storedForm);
  const stored = new Set(pages.map(({ id }) => id));
  const wire: WireSnapshot = {
    user: toWire(image, trees.map(wireTree)),
    home: image.home,
    pages: inside.map((ref) => storedForm(ref).bytes),
    garbage: [...garbage, ...unused].filter((id) => !stored.has(id)).map((id) => Buffer.from(id, 'hex')),
  };
  return {
    bytes: encodeWire(wire),
    pages,
    unused: unused.filter((id) => !stored.has(id)),
    markStored() {
      for (const ref of outside) ref.isStored = true;
      for (const ref of inside) ref.isStored = false;
    },
  };
}

/** The roots and all of the small trees: what an image can't do without, unless the store has it already. */
function* newestPages(image: UserImage): Generator<PageRef, void, undefined> {
  const recent = new Set(recentTreesOf(image));
  for (const tree of treesOf(image)) {
    if (recent.has(tree)) yield* unstoredPages([tree]);
    else if (tree.root && !tree.root.isStored) yield tree.root;
  }
}

function treeBytes({ size, layout }: Tree): number {
  return size * (layout.keyBytes + layout.valueBytes);
}

function wireTree({ root, height, size }: Tree): WireTree {
  return root ? { root: Buffer.from(pageId(root), 'hex'), height, count: size } : {};
}

/** A reference to a page; the page itself, and those below it, where they came with the snapshot. */
function attach(id: string, count: number, here: ReadonlyMap<string, Uint8Array>): PageRef {
  const bytes = here.get(id);
  if (!bytes) return new PageRef(count, undefined, id, true);
  const page = decodePage(bytes);
  if (page.level === 0) return new PageRef(count, page, id);
  const branch = page as Branch;
  const children = branch.children.map((child) => attach(pageId(child), child.count, here));
  return new PageRef(count, { ...branch, children }, id);
}

function encodeWire(wire: WireSnapshot): Uint8Array {
  return wireType.encode(wire).finish();
}

/** @throws BadSnapshot */
function decodeWire(bytes: Uint8Array): WireSnapshot {
  try {
    return wireType.toObject(wireType.decode(bytes), { longs: Number }) as WireSnapshot;
  } catch (error) {
    throw new BadSnapshot('the bytes are no snapshot', { cause: error });
  }
}
