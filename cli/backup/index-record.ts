// Records of a backup's index, to and from bytes: index-record.proto.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import type { BlobId } from '../../workloads/common/blobs/blob-store.ts';
import { hashKey } from '../../workloads/common/hash.ts';
import { frame } from '../../workloads/common/transfer/frames.ts';

/** Consecutive entries in a segment. */
export type Extent = {
  segment: BlobId;
  offset: number;
  length: number;
  /** Of these bytes alone. */
  sha256: string;
  from: number;
  to: number;
  blobs: BlobId[];
};

export type IndexRecord = {
  key: string;
  /** The number of the last entry. */
  head: number;
  headSha256: string;
  /** In the order of the entries, from the first to the head without gaps. */
  extents: Extent[];
};

type WireRecord = {
  key?: string;
  head?: number;
  headSha256?: Uint8Array;
  extents?: {
    segment?: Uint8Array;
    offset?: number;
    length?: number;
    sha256?: Uint8Array;
    from?: number;
    to?: number;
    blobs?: Uint8Array[];
  }[];
};

/** A backup that can't be trusted: something is missing or is not what it was. */
export class BadBackup extends Error {
  override name = 'BadBackup';
}

const wireType = protobuf
  .parse(readFileSync(new URL('index-record.proto', import.meta.url), 'utf8'))
  .root.lookupType('cellpost.backup.IndexRecord');

const raw = (hex: string): Buffer => Buffer.from(hex, 'hex');
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

/** @returns the record in its frame */
export function encodeRecord({ key, head, headSha256, extents }: IndexRecord): Buffer {
  const wire: WireRecord = {
    key,
    head,
    headSha256: raw(headSha256),
    extents: extents.map(({ segment, sha256, blobs, ...extent }) => ({
      ...extent,
      segment: raw(segment),
      sha256: raw(sha256),
      blobs: blobs.map(raw),
    })),
  };
  return frame(wireType.encode(wire).finish());
}

/** @param payload a frame's @throws BadBackup also when the entries are not 1 to head */
export function decodeRecord(payload: Uint8Array): IndexRecord {
  let wire: WireRecord;
  try {
    wire = wireType.toObject(wireType.decode(payload), { longs: Number }) as WireRecord;
  } catch (cause) {
    throw new BadBackup('a record of the index can not be read', { cause });
  }
  const record: IndexRecord = {
    key: wire.key ?? '',
    head: wire.head ?? 0,
    headSha256: hex(wire.headSha256),
    extents: (wire.extents ?? []).map(
      ({ segment, offset = 0, length = 0, sha256, from = 0, to = 0, blobs = [] }) => ({
        segment: hex(segment),
        offset,
        length,
        sha256: hex(sha256),
        from,
        to,
        blobs: blobs.map(hex),
      }),
    ),
  };
  let next = 1;
  for (const { from, to } of record.extents) {
    if (from !== next || to < from) break;
    next = to + 1;
  }
  if (record.head < 1 || next !== record.head + 1)
    throw new BadBackup(`the index has not every entry of ${record.key}`);
  return record;
}

/** Orders keys as stores do: by hash, then by name. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(placeOf(a), placeOf(b));
}

function placeOf(key: string): Buffer {
  return Buffer.concat([hashKey(key).bytes, Buffer.from(key)]);
}
