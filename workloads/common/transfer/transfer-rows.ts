// Entries of logs as they travel: transfer-row.proto in frames.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { BadFrame, frame, readFrames } from './frames.ts';

export type TransferRow = {
  /** 1 and up. */
  seq: number;
  entry: Uint8Array;
  /** By their index in the entry; empty when bodies were not asked for. */
  bodies: { index: number; bytes: Uint8Array }[];
};

type WireRow = {
  seq?: number;
  entry?: Uint8Array;
  bodies?: { index?: number; bytes?: Uint8Array }[];
};

const wireType = protobuf
  .parse(readFileSync(new URL('transfer-row.proto', import.meta.url), 'utf8'))
  .root.lookupType('cellpost.transfer.TransferRow');

/** @returns the row without a frame */
export function encodeRowPayload(row: TransferRow): Uint8Array {
  return wireType.encode(row).finish();
}

/** @returns the row in its frame */
export function encodeRow(row: TransferRow): Buffer {
  return frame(encodeRowPayload(row));
}

/** @param payload a frame's @throws BadFrame */
export function decodeRow(payload: Uint8Array): TransferRow {
  let wire: WireRow;
  try {
    wire = wireType.toObject(wireType.decode(payload), { longs: Number }) as WireRow;
  } catch (cause) {
    throw new BadFrame('the frame holds no row', { cause });
  }
  const { seq = 0, entry, bodies = [] } = wire;
  if (!Number.isSafeInteger(seq) || seq < 1 || !entry) throw new BadFrame('a row without number or entry');
  return {
    seq,
    entry,
    bodies: bodies.map(({ index = 0, bytes = new Uint8Array() }) => ({ index, bytes })),
  };
}

/** @throws BadFrame */
export async function* readRows(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<TransferRow> {
  for await (const payload of readFrames(chunks)) yield decodeRow(payload);
}
