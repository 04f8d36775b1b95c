// Whose an address is: GET and PUT /addresses/{address}.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { sendProblem } from '../../common/http/server.ts';
import { addressKey, isUserId, normalizeAddress } from '../../common/keys.ts';
import { assignAddress } from '../logic/users.ts';
import { readJson } from './read-body.ts';
import type { Services } from './services.ts';
import { notFound } from './wrap.ts';

const bodySchema = z.strictObject({ userId: z.string().refine(isUserId) });

function keyOf(request: Request): string | undefined {
  const address = normalizeAddress(String(request.params.address));
  return address === undefined ? undefined : addressKey(address);
}

export async function getAddress(services: Services, request: Request, response: Response): Promise<void> {
  const key = keyOf(request);
  if (key === undefined) return notFound(response);
  const userId = await services.logs.read(key, (image) =>
    image.kind === 'address' ? image.userId : undefined,
  );
  if (userId === undefined) notFound(response);
  else response.json({ userId });
}

export async function putAddress(services: Services, request: Request, response: Response): Promise<void> {
  const key = keyOf(request);
  const body = bodySchema.safeParse(await readJson(request));
  if (key === undefined || !body.success)
    return sendProblem(response, 400, 'about:blank', 'Give an address, and {userId} as the body.');
  const { userId } = body.data;
  const result = await services.logs.write(key, (tx) => assignAddress(tx, services.cell, userId));
  if (result === 'taken') sendProblem(response, 409, 'about:blank', 'The address is taken.');
  else response.status(result === 'assigned' ? 201 : 200).json({ userId });
}
