// The trees of an image, in the order in which snapshots name them.
import type { UserImage } from './model.ts';
import { BufferedTree } from './pages/buffered-tree.ts';
import type { Tree } from './pages/tree.ts';

export function treesOf(image: UserImage): Tree[] {
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
  ];
}

/** Those small trees of which every page is at hand. */
export function recentTreesOf({ threadKeys, deliveries }: UserImage): Tree[] {
  return [threadKeys.recent, deliveries.recent];
}

/** @param trees in the order of `treesOf` */
export function withTrees(
  trees: readonly Tree[],
): Pick<
  UserImage,
  'emails' | 'lists' | 'threads' | 'labels' | 'threadKeys' | 'deliveries' | 'olderDeliveries' | 'friends'
> {
  const [emails, lists, threads, labels, recentKeys, mainKeys, recent, main, olderDeliveries, friends] =
    trees as [Tree, Tree, Tree, Tree, Tree, Tree, Tree, Tree, Tree, Tree];
  return {
    emails,
    lists,
    threads,
    labels,
    threadKeys: new BufferedTree(recentKeys, mainKeys),
    deliveries: new BufferedTree(recent, main),
    olderDeliveries,
    friends,
  };
}
