// The trees of an image, in the order in which snapshots name them.
import type { UserImage } from './model.ts';
import { BufferedTree } from './pages/buffered-tree.ts';
import type { Tree } from './pages/tree.ts';

type Trees = Pick<
  UserImage,
  | 'emails'
  | 'lists'
  | 'threads'
  | 'labels'
  | 'threadKeys'
  | 'deliveries'
  | 'olderDeliveries'
  | 'friends'
  | 'correspondents'
  | 'olderCorrespondents'
>;

export function treesOf(image: Trees): Tree[] {
  const { emails, lists, threads, labels, threadKeys, deliveries, olderDeliveries, friends } = image;
  return [
    emails,
    lists,
    threads,
    labels,
    threadKeys.recent,
    threadKeys.main,
    deliveries.recent,
    deliveries.main,
    olderDeliveries,
    friends,
    image.correspondents,
    image.olderCorrespondents,
  ];
}

/** Those small trees of which every page is at hand. */
export function recentTreesOf({ threadKeys, deliveries }: UserImage): Tree[] {
  return [threadKeys.recent, deliveries.recent];
}

/** @param trees in the order of `treesOf` */
export function withTrees(trees: readonly Tree[]): Trees {
  const [
    emails,
    lists,
    threads,
    labels,
    recentKeys,
    mainKeys,
    recent,
    main,
    olderDeliveries,
    friends,
    correspondents,
    olderCorrespondents,
  ] = trees as [Tree, Tree, Tree, Tree, Tree, Tree, Tree, Tree, Tree, Tree, Tree, Tree];
  return {
    emails,
    lists,
    threads,
    labels,
    threadKeys: new BufferedTree(recentKeys, mainKeys),
    deliveries: new BufferedTree(recent, main),
    olderDeliveries,
    friends,
    correspondents,
    olderCorrespondents,
  };
}
