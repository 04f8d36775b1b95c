// Reads the dump of a log back: checked as a whole first.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { BadFrame, frame, readFrames } from '../../workloads/common/transfer/frames.ts';
import { decodeRow, type TransferRow } from '../../workloads/common/transfer/transfer-rows.ts';
import { BadDump, DUMP_FORMAT, DUMP_MAGIC, decodeDumpFrame, type DumpHeader } from './dump-format.ts';

/**
 * Reads a whole dump and compares its checksum.
 * @returns its header, and how many entries it has
 * @throws BadDump; the file system's error
 */
export async function checkDump(path: string): Promise<{ header: DumpHeader; rows: number }> {
  const hash = createHash('sha256').update(DUMP_MAGIC);
  let header: DumpHeader | undefined;
  let rows = 0;
  let ended = false;
  for await (const payload of frames(path)) {
    const content = decodeDumpFrame(payload);
    if (ended) throw new BadDump('the dump goes on after its end');
    if (!header) {
      header = checkHeader(content.header);
    } else if (content.row) {
      if (rowOf(content.row).seq !== ++rows) throw new BadDump(`the dump lacks entry ${rows}`);
    } else if (content.end) {
      const { rows: told = 0, sha256 } = content.end;
      if (told !== rows || !sha256 || !hash.copy().digest().equals(sha256))
        throw new BadDump('the checksum of the dump is wrong: it is damaged');
      ended = true;
    } else throw new BadDump('the dump holds a frame of an unknown kind');
    hash.update(frame(payload));
  }
  if (!header || !ended) throw new BadDump('the dump has no end: it was cut off');
  return { header, rows };
}

/** The entries of a dump that was checked. */
export async function* readDump(path: string): AsyncGenerator<TransferRow> {
  for await (const payload of frames(path)) {
    const { row } = decodeDumpFrame(payload);
    if (row) yield rowOf(row);
  }
}

function rowOf(bytes: Uint8Array): TransferRow {
  try {
    return decodeRow(bytes);
  } catch (error) {
    if (error instanceof BadFrame) throw new BadDump(error.message, { cause: error });
    throw error;
  }
}

function checkHeader(header: Partial<DumpHeader> | undefined): DumpHeader {
  const { format, userId, addresses = [], madeAtMs = 0 } = header ?? {};
  if (format === undefined || !userId) throw new BadDump('the dump has no header');
  if (format !== DUMP_FORMAT)
    throw new BadDump(`the dump has format ${format}; this version knows ${DUMP_FORMAT}`);
  return { format, userId, addresses, madeAtMs };
}

async function* frames(path: string): AsyncGenerator<Buffer> {
  const stream = createReadStream(path);
  try {
    yield* readFrames(withoutMagic(stream));
  } catch (error) {
    if (error instanceof BadFrame) throw new BadDump(error.message, { cause: error });
    throw error;
  } finally {
    stream.destroy();
  }
}

async function* withoutMagic(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let start: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (!start) {
      yield chunk;
      continue;
    }
    start = Buffer.concat([start, chunk]);
    if (start.length < DUMP_MAGIC.length) continue;
    if (!start.subarray(0, DUMP_MAGIC.length).equals(DUMP_MAGIC)) break;
    yield start.subarray(DUMP_MAGIC.length);
    start = undefined;
  }
  if (start) throw new BadDump('the file is no dump of a log');
}
