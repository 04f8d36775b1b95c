// The frames of a dump: dump.proto.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { frame } from '../../workloads/common/transfer/frames.ts';

export const DUMP_MAGIC = Buffer.from('CELLPOST');
export const DUMP_FORMAT = 1;

export type DumpHeader = { format: number; userId: string; addresses: string[]; madeAtMs: number };

export type DumpFrame = {
  header?: Partial<DumpHeader>;
  row?: Uint8Array;
  end?: { rows?: number; sha256?: Uint8Array };
};

/** The file is no dump, is cut off or damaged, or of a newer format. */
export class BadDump extends Error {
  override name = 'BadDump';
}

const wireType = protobuf
  .parse(readFileSync(new URL('dump.proto', import.meta.url), 'utf8'))
  .root.lookupType('cellpost.dump.DumpFrame');

export function encodeDumpFrame(content: DumpFrame): Buffer {
  return frame(wireType.encode(content).finish());
}

/** @throws BadDump */
export function decodeDumpFrame(payload: Uint8Array): DumpFrame {
  try {
    return wireType.toObject(wireType.decode(payload), { longs: Number }) as DumpFrame;
  } catch (cause) {
    throw new BadDump('the dump holds a frame that can not be read', { cause });
  }
}
