// Whose an address is: GET, PUT and DELETE /addresses/{address}.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { sendProblem } from '../../common/http/server.ts';
import { addressKey, isUserId, normalizeAddress } from '../../common/keys.ts';
import { assignAddress, moveAddress, releaseAddress } from '../logic/addresses.ts';
import { readJson } from './read-body.ts';
import type { Services } from './services.ts';
import { notFound } from './wrap.ts';

const userId = z.string().refine(isUserId);
const bodySchema = z.strictObject({ userId, from: userId.optional() });
const releaseSchema = z.object({ from: userId });

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
  const body = bodySchema.safeParse(await readJson(request));
  if (key === undefined || !body.success)
    return sendProblem(response, 400, 'about:blank', 'Give an address, and {userId, from} as the body.');
  const { userId: owner, from } = body.data;
  const result = await services.logs.write(key, (tx) =>
    from === undefined ? assignAddress(tx, services.cell, owner) : moveAddress(tx, from, owner),
  );
  if (result === 'taken') sendProblem(response, 409, 'about:blank', 'The address is taken.');
  else response.status(result === 'assigned' ? 201 : 200).json({ userId: owner });
}

/** `?from=USERID`: it is that user's no more. */
export async function deleteAddress(services: Services, request: Request, response: Response): Promise<void> {
  const key = keyOf(request);
  const asked = releaseSchema.safeParse(request.query);
  if (key === undefined || !asked.success)
    return sendProblem(response, 400, 'about:blank', 'Give an address, and ?from=USERID.');
  await services.logs.write(key, (tx) => releaseAddress(tx, asked.data.from));
  response.status(204).end();
}
