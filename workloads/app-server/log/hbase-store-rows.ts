// How logs lie in HBase's table.
//
//   row of an entry    = hash(8) int16 length, key, sequence(8), all big-endian
//   row of a snapshot  = hash(8) int16 length, key
//   row of a page      = hash(8) int16 length, key, 0xff, id(16)
//   e:e entry; b:<int16 index> body; s:s sequence(8) format(4) bytes; s:p page
import { hashKey } from '../../common/hash.ts';
import { FAMILIES } from '../../common/hbase/schema.ts';
import type { Put } from '../../common/hbase/rows.ts';
import type { StoredPage, StoredSnapshot } from './log-store.ts';

export const ENTRY = { family: FAMILIES.entry, qualifier: Buffer.from('e') };
export const SNAPSHOT = { family: FAMILIES.snapshot, qualifier: Buffer.from('s') };
export const PAGE = { family: FAMILIES.snapshot, qualifier: Buffer.from('p') };
/** After the number of any entry. */
const PAGE_MARK = 0xff;
const HASH_BYTES = 8;
const LENGTH_BYTES = 2;
const SEQ_BYTES = 8;
const FORMAT_BYTES = 4;
const MAX_BUCKET = 0xffff;

/** What all rows of a key start with, and the row of its snapshot. */
export function keyRow(key: string): Buffer {
  return rowWith(key, 0);
}

export function entryRow(key: string, seq: number): Buffer {
  const row = rowWith(key, SEQ_BYTES);
  row.writeBigUInt64BE(BigInt(seq), row.length - SEQ_BYTES);
  return row;
}

/** The row of a key, and so many bytes more. */
function rowWith(key: string, more: number): Buffer {
  const length = Buffer.byteLength(key);
  const row = Buffer.alloc(HASH_BYTES + LENGTH_BYTES + length + more);
  row.set(hashKey(key).bytes);
  row.writeUInt16BE(length, HASH_BYTES);
  row.write(key, HASH_BYTES + LENGTH_BYTES);
  return row;
}

/** After all rows of a key: no sequence is that large. */
export function endRow(key: string): Buffer {
  return Buffer.concat([keyRow(key), Buffer.alloc(SEQ_BYTES + 1, 0xff)]);
}

/** The key that a row belongs to. */
export function keyOfRow(row: Uint8Array): string {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  const length = bytes.readUInt16BE(HASH_BYTES);
  return bytes.toString('utf8', HASH_BYTES + LENGTH_BYTES, HASH_BYTES + LENGTH_BYTES + length);
}

export function seqOfRow(row: Uint8Array): number {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  return Number(bytes.readBigUInt64BE(bytes.length - SEQ_BYTES));
}

export function entryPut(key: string, seq: number, entry: Uint8Array, bodies: readonly Uint8Array[]): Put {
  return {
    row: entryRow(key, seq),
    columns: [{ ...ENTRY, value: entry }, ...bodies.map((value, index) => ({ ...bodyColumn(index), value }))],
  };
}

export function bodyColumn(index: number): { family: string; qualifier: Uint8Array } {
  const qualifier = Buffer.alloc(2);
  qualifier.writeUInt16BE(index);
  return { family: FAMILIES.body, qualifier };
}

export function snapshotPut(key: string, { seq, format, bytes }: StoredSnapshot): Put {
  const head = Buffer.alloc(SEQ_BYTES + FORMAT_BYTES);
  head.writeBigUInt64BE(BigInt(seq));
  head.writeUInt32BE(format, SEQ_BYTES);
  return { row: keyRow(key), columns: [{ ...SNAPSHOT, value: Buffer.concat([head, bytes]) }] };
}

export function pageRow(key: string, id: string): Buffer {
  return Buffer.concat([keyRow(key), Buffer.of(PAGE_MARK), Buffer.from(id, 'hex')]);
}

export function pagePut(key: string, { id, bytes }: StoredPage): Put {
  return { row: pageRow(key, id), columns: [{ ...PAGE, value: bytes }] };
}

/** Before all rows of a bucket, and after them. */
export function bucketRows(bucket: number): { from: Uint8Array; to: Uint8Array } {
  const next = bucket + 1;
  const to = next > MAX_BUCKET ? new Uint8Array() : Uint8Array.of(next >>> 8, next);
  return { from: Uint8Array.of(bucket >>> 8, bucket), to };
}

export function readSnapshot(value: Uint8Array): StoredSnapshot | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length < SEQ_BYTES + FORMAT_BYTES) return undefined;
  return {
    seq: Number(bytes.readBigUInt64BE(0)),
    format: bytes.readUInt32BE(SEQ_BYTES),
    bytes: new Uint8Array(bytes.subarray(SEQ_BYTES + FORMAT_BYTES)),
  };
}
