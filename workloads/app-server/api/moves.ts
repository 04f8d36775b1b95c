// Routes by which a log goes from one cell to another, for services. docs/adr/0022-moving-users.md tells the whole story.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { CELL_NAME } from '../../common/cell-client/directory-messages.ts';
import { sendProblem } from '../../common/http/server.ts';
import { isAtHome } from '../image/model.ts';
import { entryCodec } from '../log/entry.ts';
import { Misdirected } from '../log/user-log-errors.ts';
import { readChecked } from './read-body.ts';
import type { Services } from './services.ts';

const moveBody = z.strictObject({ toCell: z.string().regex(CELL_NAME, 'is no name of a cell') });

/**
 * POST /logs/{key}/move {toCell} → {seq}: ends the log in this cell with an entry that says where it goes on. From then on
 * nobody here answers for it. Asked again, it names the same entry. Of the owner only (421 else).
 */
export async function postMove(services: Services, request: Request, response: Response): Promise<void> {
  const key = String(request.params.key);
  const body = await readChecked(request, response, moveBody);
  if (!body) return;
  const { toCell } = body;
  if (toCell === services.cell) return sendProblem(response, 409, 'about:blank', 'This is that cell.');
  const before = await movedBefore(services, key, toCell);
  if (before !== undefined) return void response.json({ seq: before });
  const seq = await services.logs.write(key, (tx) => {
    if (tx.seq === 1) return undefined;
    return tx.add({ type: 'moved', toCell }).seq;
  });
  if (seq === undefined) return sendProblem(response, 404, 'about:blank', 'There is no such log here.');
  response.json({ seq });
}

/** @returns the entry with which the log was moved there, if that was its last @throws Misdirected */
async function movedBefore(services: Services, key: string, toCell: string): Promise<number | undefined> {
  services.gate.assertOwner(key);
  const last = await services.store.readLast(key);
  if (!last) return undefined;
  const action = entryCodec.decode(last.entry).actions.at(-1);
  return action?.type === 'moved' && action.toCell === toCell ? last.seq : undefined;
}

/**
 * POST /logs/{key}/adopt → {seq}: a log that was brought here by hand (an import, a restore) goes on here, whatever cell it
 * says that it was moved to. Never for a log that lives in another cell of this platform. Of the owner only (421 else).
 */
export async function postAdopt(services: Services, request: Request, response: Response): Promise<void> {
  const key = String(request.params.key);
  const seq = await services.logs.adopt(key, (image) =>
    isAtHome(image, services.cell) ? undefined : { type: 'moved', toCell: services.cell },
  );
  if (seq === 0) sendProblem(response, 404, 'about:blank', 'There is no such log here.');
  else response.json({ seq });
}

/**
 * POST /logs/{key}/prepare → {seq}: stores a snapshot of a log that is being copied here, so that it opens at once when it
 * is served. Of the owner only (421 else).
 */
export async function postPrepare(services: Services, request: Request, response: Response): Promise<void> {
  const key = String(request.params.key);
  services.gate.assertOwner(key);
  response.json({ seq: await services.logs.prepare(key) });
}

/**
 * DELETE /logs/{key} → 204: deletes what is left of a log that was moved away; 409 for one that is served here. Of the
 * owner only (421 else).
 */
export async function deleteLog(services: Services, request: Request, response: Response): Promise<void> {
  const key = String(request.params.key);
  const { logs, store, cell } = services;
  const isHere = await logs
    .read(key, (image) => isAtHome(image, cell))
    .catch((error: unknown) => {
      // Without an owner: it was moved. Another owner, or none: not ours to say.
      if (!(error instanceof Misdirected) || error.owner) throw error;
      services.gate.assertOwner(key);
      return false;
    });
  if (isHere && (await store.readLast(key)))
    return sendProblem(response, 409, 'about:blank', 'This log is served here.');
  await store.deleteKey(key);
  await logs.release((open) => open === key);
  response.status(204).end();
}
