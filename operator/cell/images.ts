// The two images of a cell. Each is on trial when it is new, becomes the good one or is rolled back by itself.
import type { CellStatus, ImageRecord } from '../types.ts';

/** `hbase`: of ZooKeeper, HDFS and HBase; `cellpost`: of the app servers. In the order of a roll. */
export const IMAGE_KINDS = ['hbase', 'cellpost'] as const;
export type ImageKind = (typeof IMAGE_KINDS)[number];
export type ImageRecords = Record<ImageKind, ImageRecord>;

/** What a status remembers of both. */
export function imageRecordsOf(status: CellStatus | undefined): ImageRecords {
  const { goodImage, rolledBack, hbaseImage } = status ?? {};
  return {
    hbase: record(hbaseImage?.good, hbaseImage?.rolledBack),
    cellpost: record(goodImage, rolledBack),
  };
}

const record = (good: ImageRecord['good'], rolledBack: ImageRecord['rolledBack']): ImageRecord => ({
  ...(good !== undefined && { good }),
  ...(rolledBack && { rolledBack }),
});

/** An image that was rolled back stays out of use, until the spec has said another one. */
export function imageInUse(asked: string, { good, rolledBack }: ImageRecord): string {
  return rolledBack?.image === asked ? (good ?? asked) : asked;
}
