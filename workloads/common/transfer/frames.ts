// Frames: a length (4 bytes, big-endian), then so many bytes; one after the other.

const LENGTH_BYTES = 4;
/** Far above an entry with all its bodies (some MiB): a length beyond is damage. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** The bytes are no sequence of frames: cut off, or damaged. */
export class BadFrame extends Error {
  override name = 'BadFrame';
}

/** @returns the frame of a payload */
export function frame(payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(LENGTH_BYTES + payload.byteLength);
  framed.writeUInt32BE(payload.byteLength);
  framed.set(payload, LENGTH_BYTES);
  return framed;
}

/** Takes a stream of bytes apart. Memory: a frame and a chunk. @throws BadFrame at a length beyond bounds, and when it ends inside a frame */
export async function* readFrames(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  let pending: Uint8Array[] = [];
  let size = 0;
  let wanted: number | undefined;
  for await (const chunk of chunks) {
    pending.push(chunk);
    size += chunk.byteLength;
    if (size < (wanted ?? LENGTH_BYTES)) continue;
    let bytes = pending.length === 1 && pending[0] ? Buffer.from(pending[0]) : Buffer.concat(pending);
    for (;;) {
      wanted = bytes.length < LENGTH_BYTES ? undefined : LENGTH_BYTES + bytes.readUInt32BE();
      if (wanted !== undefined && wanted > MAX_FRAME_BYTES) throw new BadFrame(`a frame of ${wanted} bytes`);
      if (wanted === undefined || bytes.length < wanted) break;
      yield bytes.subarray(LENGTH_BYTES, wanted);
      bytes = bytes.subarray(wanted);
    }
    pending = bytes.length > 0 ? [bytes] : [];
    size = bytes.length;
  }
  if (size > 0) throw new BadFrame('the bytes end inside of a frame');
}
