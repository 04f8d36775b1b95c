// Cells as a server sends them beside a response.

export type Cell = {
  row: Uint8Array;
  family: string;
  qualifier: Uint8Array;
  value: Uint8Array;
  /** By the clock of the server that stored it, or as the writer said. */
  timestampMs: number;
};

/**
 * Reads a cell block: per cell int32 length and a KeyValue = int32 key length, int32 value length, key, value; key =
 * int16 row length, row, int8 family length, family, qualifier, int64 timestamp, int8 type.
 * @throws RangeError when it ends in the middle of a cell
 */
export function readCells(block: Uint8Array): Cell[] {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  const cells: Cell[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readInt32BE(at);
    const keyLength = bytes.readInt32BE(at + 4);
    const key = at + 12;
    const value = key + keyLength;
    const rowLength = bytes.readInt16BE(key);
    const row = key + 2;
    const familyLength = bytes.readInt8(row + rowLength);
    const family = row + rowLength + 1;
    const qualifier = family + familyLength;
    if (end > bytes.length || value > end) throw new RangeError('A cell block ends in the middle of a cell.');
    cells.push({
      row: bytes.subarray(row, row + rowLength),
      family: bytes.toString('latin1', family, qualifier),
      qualifier: bytes.subarray(qualifier, value - TIMESTAMP_AND_TYPE),
      value: bytes.subarray(value, end),
      timestampMs: readTimestamp(bytes, value - TIMESTAMP_AND_TYPE),
    });
    at = end;
  }
  return cells;
}

const TIMESTAMP_AND_TYPE = 9;
const HIGH_HALF = 2 ** 32;

/** Of 64 bits; in two halves, for that is the fastest way to a number. */
const readTimestamp = (bytes: Buffer, at: number): number =>
  bytes.readUInt32BE(at) * HIGH_HALF + bytes.readUInt32BE(at + 4);
