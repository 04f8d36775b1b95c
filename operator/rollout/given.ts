// What a rollout gives: a version of Cellpost's own programs, an image of ZooKeeper, HDFS and HBase, or both.
import type { Given, RolloutSpec } from './types.ts';

export const givenBy = ({ version, images }: Pick<RolloutSpec, 'version' | 'images'>): Given => ({
  version,
  hbase: images?.hbase,
});

/** Does the member's spec ask for all that is given? */
export const asksFor = (asked: Given, { version, hbase }: Given): boolean =>
  (version === undefined || asked.version === version) && (hbase === undefined || asked.hbase === hbase);

/** In sentences: `2.0`, `registry/hbase:2.6`, `2.0 and registry/hbase:2.6`. */
export const called = ({ version, hbase }: Given): string =>
  [version, hbase].filter((one) => one !== undefined).join(' and ');
