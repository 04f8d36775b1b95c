// Whose an address is: GET, PUT and DELETE /addresses/{address}.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { sendProblem } from '../../common/http/server.ts';
import { addressKey, isUserId, normalizeAddress } from '../../common/keys.ts';
import { assignAddress, moveAddress, releaseAddress } from '../logic/addresses.ts';
import { checked, notUnderstood, readChecked } from './read-body.ts';
import type { Services } from './services.ts';
import { notFound } from './wrap.ts';

const userId = z.string().refine(isUserId, 'is no user id');
const bodySchema = z.strictObject({ userId, from: userId.optional() });
const releaseSchema = z.object({ from: userId });
const NO_ADDRESS = 'the path has no address';

function keyOf(request: Request): string | undefined {
  const address = normalizeAddress(String(request.params.address));
  return address === undefined ? undefined : addressKey(address);
}

/** → {userId, formerUserId}: whose it is, and whose it was before that; 404, with the latter, when it is nobody's. */
export async function getAddress(services: Services, request: Request, response: Response): Promise<void> {
  const key = keyOf(request);
  if (key === undefined) return notFound(response);
  const found = await services.logs.read(key, (image) => (image.kind === 'address' ? image : undefined));
  const { userId: owner, formerUserId } = found ?? {};
  if (owner !== undefined) response.json({ userId: owner, formerUserId });
  else if (formerUserId === undefined) notFound(response);
  else sendProblem(response, 404, 'about:blank', 'The address is nobody’s any more.', { formerUserId });
}

/** {userId} gives it to a user when it is nobody's; {userId, from} takes it from one user for another. 409: it is somebody else's. */
export async function putAddress(services: Services, request: Request, response: Response): Promise<void> {
  const key = keyOf(request);
  const body = await readChecked(request, response, bodySchema);
  if (!body) return;
  if (key === undefined) return notUnderstood(response, NO_ADDRESS);
  const { userId: owner, from } = body;
  const result = await services.logs.write(key, (tx) =>
    from === undefined ? assignAddress(tx, services.cell, owner) : moveAddress(tx, from, owner),
  );
  if (result === 'taken') sendProblem(response, 409, 'about:blank', 'The address is taken.');
  else response.status(result === 'assigned' ? 201 : 200).json({ userId: owner });
}

/** `?from=USERID`: it is that user's no more. */
export async function deleteAddress(services: Services, request: Request, response: Response): Promise<void> {
  const key = keyOf(request);
  const asked = checked(request.query, response, releaseSchema);
  if (!asked) return;
  if (key === undefined) return notUnderstood(response, NO_ADDRESS);
  await services.logs.write(key, (tx) => releaseAddress(tx, asked.from));
  response.status(204).end();
}
