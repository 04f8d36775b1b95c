// POST /users/{userId}/restore, for services: takes a user's mailbox back to how it was after an entry of the log.
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { RestoreLine } from '../../common/cell-client/restore-lines.ts';
import { sendProblem } from '../../common/http/server.ts';
import { isUserId, userKey } from '../../common/keys.ts';
import { asUser } from '../image/model.ts';
import { entryCodec } from '../log/entry.ts';
import { readChecked } from './read-body.ts';
import { RestoreRun } from './restore-run.ts';
import type { Services } from './services.ts';
import { isUnavailable } from './unavailable.ts';
import { notFound } from './wrap.ts';

const bodySchema = z
  .strictObject({
    toSeq: z.number().int().min(1).optional(),
    toTimeMs: z.number().int().optional(),
    keepNewer: z.boolean().default(true),
    dryRun: z.boolean().default(false),
  })
  .refine(
    ({ toSeq, toTimeMs }) => (toSeq === undefined) !== (toTimeMs === undefined),
    'give one of toSeq and toTimeMs',
  );

/** Users who are being restored here: two at once would add the same messages twice. */
const underWay = new Set<string>();

/**
 * Body: {toSeq} or {toTimeMs}, {keepNewer = true, dryRun = false}. Answers lines of JSON: RestoreLine. Several entries are
 * appended, each bounded; one that broke off is gone on with by asking for the same again.
 */
export async function postRestore(services: Services, request: Request, response: Response): Promise<void> {
  const body = await readChecked(request, response, bodySchema);
  if (!body) return;
  const userId = String(request.params.userId);
  if (!isUserId(userId)) return notFound(response);
  const key = userKey(userId);
  // Also finds out whether this is the right server, before anything is sent.
  const seqBefore = await services.logs.read(key, (image, seq) => (asUser(image) ? seq : 0));
  if (seqBefore === 0) return notFound(response);
  const toSeq = body.toSeq ?? (await lastEntryBy(services, key, body.toTimeMs ?? 0, seqBefore));
  if (toSeq < 1 || toSeq > seqBefore)
    return sendProblem(
      response,
      400,
      'about:blank',
      toSeq < 1 ? 'The user was made later than that.' : `The log ends at entry ${seqBefore}.`,
    );
  if (underWay.has(key))
    return sendProblem(response, 409, 'about:blank', 'This user is being restored just now.');
  underWay.add(key);
  try {
    response.status(200).setHeader('Content-Type', 'application/x-ndjson');
    const say = (line: RestoreLine): void => void response.write(`${JSON.stringify(line)}\n`);
    say({ started: { seqBefore, toSeq } });
    try {
      const { keepNewer, dryRun } = body;
      const run = new RestoreRun(services, key, {
        onProgress: (done, of) => say({ progress: { done, of } }),
        isGone: () => response.destroyed,
      });
      say({ result: { seqBefore, ...(await run.restore({ seq: toSeq, keepNewer }, seqBefore, dryRun)) } });
    } catch (error) {
      const mayBeRepeated = isUnavailable(error);
      if (!mayBeRepeated) services.logger.error({ err: error, key }, 'a restore failed');
      say({ error: { message: error instanceof Error ? error.message : String(error), mayBeRepeated } });
    }
    response.end();
  } finally {
    underWay.delete(key);
  }
}

/** @returns the number of the last entry of this time or earlier; 0 when there is none */
async function lastEntryBy(services: Services, key: string, timeMs: number, head: number): Promise<number> {
  let [low, high] = [0, head];
  // Times never go back from an entry to the next.
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const [row] = await services.store.read(key, middle, { limit: 1, maxBytes: 1 });
    if (row && entryCodec.decode(row.entry).timeMs <= timeMs) low = middle;
    else high = middle - 1;
  }
  return low;
}
