// GET /users/{userId}/addresses → {addresses}; PUT and DELETE /users/{userId}/addresses/{address}: the user's own list. Mail
// follows the logs of the addresses: whoever changes one changes the other, too.
import type { Request, Response } from 'express';
import { sendProblem } from '../../common/http/server.ts';
import { isUserId, normalizeAddress, userKey } from '../../common/keys.ts';
import { asUser } from '../image/model.ts';
import { addAddress, dropAddress } from '../logic/addresses.ts';
import type { Services } from './services.ts';
import { notFound } from './wrap.ts';

export async function getUserAddresses(
  services: Services,
  request: Request,
  response: Response,
): Promise<void> {
  const userId = String(request.params.userId);
  if (!isUserId(userId)) return notFound(response);
  const addresses = await services.logs.read(userKey(userId), (image) => asUser(image)?.user.addresses);
  if (addresses) response.json({ addresses });
  else notFound(response);
}

export async function putUserAddress(
  services: Services,
  request: Request,
  response: Response,
): Promise<void> {
  const { key, address } = asked(request);
  if (key === undefined) return notFound(response);
  if (address === undefined) return sendProblem(response, 400, 'about:blank', 'This is no address.');
  const result = await services.logs.write(key, (tx) => addAddress(tx, address));
  if (result === 'noUser') notFound(response);
  else if (result === 'tooMany')
    sendProblem(response, 409, 'about:blank', 'The user has too many addresses.');
  else response.status(result === 'added' ? 201 : 200).json({ address });
}

export async function deleteUserAddress(
  services: Services,
  request: Request,
  response: Response,
): Promise<void> {
  const { key, address } = asked(request);
  if (key === undefined || address === undefined) return notFound(response);
  const result = await services.logs.write(key, (tx) => dropAddress(tx, address));
  if (result === 'noUser') notFound(response);
  else response.status(204).end();
}

function asked(request: Request): { key: string | undefined; address: string | undefined } {
  const userId = String(request.params.userId);
  return {
    key: isUserId(userId) ? userKey(userId) : undefined,
    address: normalizeAddress(String(request.params.address)),
  };
}
