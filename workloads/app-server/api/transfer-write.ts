// POST /logs/{key}/entries: whole logs written back, entry by entry as they were, for services: moves, imports, restores.
import type { Request, Response } from 'express';
import { sendProblem } from '../../common/http/server.ts';
import { BadFrame } from '../../common/transfer/frames.ts';
import { readRows, type TransferRow } from '../../common/transfer/transfer-rows.ts';
import { entryCodec } from '../log/entry.ts';
import { UnreadableEntry } from '../log/entry-codec.ts';
import { EntryTooLarge, SequenceGap } from '../log/log-store.ts';
import type { Services } from './services.ts';

/** No entry has so many: it would be over its own bound. */
const MAX_BODIES = 65_536;

/**
 * Takes frames of transfer rows and appends each under its own number, if there is no other of that number; one that is
 * there, the same, is passed over. So nothing that was acknowledged is ever replaced, and a transfer may be repeated.
 * Answers 200 {seq} (the last one given), 409 when the log has another entry of a number, 400 when the rows leave a gap.
 * Of the owner only (421 else).
 */
export async function postEntries(services: Services, request: Request, response: Response): Promise<void> {
  const key = String(request.params.key);
  services.gate.assertOwner(key);
  let seq = 0;
  try {
    // A refusal ends the reading, and must still get to the sender.
    const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    for await (const row of readRows(chunks)) {
      if ((await append(services, key, row)) === 'conflict')
        return sendProblem(
          response,
          409,
          'urn:cellpost:error:other-entry',
          `There is another entry ${row.seq}.`,
          {
            seq: row.seq,
          },
        );
      ({ seq } = row);
    }
  } catch (error) {
    const isBad =
      error instanceof BadFrame ||
      error instanceof UnreadableEntry ||
      error instanceof SequenceGap ||
      error instanceof EntryTooLarge;
    if (!isBad) throw error;
    return sendProblem(response, 400, 'about:blank', `After entry ${seq}: ${error.message}.`);
  } finally {
    // Whoever asked for the key before has an image of a shorter log open.
    await services.logs.release((open) => open === key);
  }
  response.json({ seq });
}

async function append(
  { store, gate }: Services,
  key: string,
  { seq, entry, bodies }: TransferRow,
): Promise<'appended' | 'conflict'> {
  // What this version can't read it could not serve, either.
  entryCodec.decode(entry);
  const dense: Uint8Array[] = [];
  for (const { index, bytes } of bodies) {
    if (index >= MAX_BODIES) throw new BadFrame(`a body with the number ${index}`);
    dense[index] = bytes;
  }
  gate.assertOwner(key);
  return await store.append(
    key,
    seq,
    entry,
    Array.from(dense, (bytes) => bytes ?? new Uint8Array()),
  );
}
