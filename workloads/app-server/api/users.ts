// PUT /users/{userId}: makes a user, once.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { sendProblem } from '../../common/http/server.ts';
import { isUserId, normalizeAddress, userKey } from '../../common/keys.ts';
import { asUser } from '../image/model.ts';
import { hashPassword, MAX_PASSWORD_LENGTH } from '../logic/credentials.ts';
import { MAX_ADDRESSES } from '../logic/addresses.ts';
import { createUser } from '../logic/users.ts';
import { notUnderstood, readChecked } from './read-body.ts';
import type { Services } from './services.ts';

const bodySchema = z.strictObject({
  addresses: z
    .array(
      z.string().transform((address, context) => {
        const normalized = normalizeAddress(address);
        if (normalized !== undefined) return normalized;
        context.addIssue({ code: 'custom', message: 'is no address' });
        return z.NEVER;
      }),
    )
    .min(1)
    .max(MAX_ADDRESSES),
  displayName: z.string().max(255),
  password: z.string().min(1).max(MAX_PASSWORD_LENGTH),
});

export async function putUser(services: Services, request: Request, response: Response): Promise<void> {
  const userId = String(request.params.userId);
  const body = await readChecked(request, response, bodySchema);
  if (!body) return;
  if (!isUserId(userId)) return notUnderstood(response, 'the path has no user id');
  const { displayName, password } = body;
  const addresses = [...new Set(body.addresses)];
  const key = userKey(userId);
  // Hashing takes its time: not for a user who is there.
  const exists = await services.logs.read(key, (image) => asUser(image) !== undefined);
  const credentials = exists ? undefined : await hashPassword(password);
  const result = await services.logs.write(key, (tx) =>
    createUser(tx, services.cell, { userId, addresses, displayName }, credentials),
  );
  if (result === 'conflict')
    sendProblem(response, 409, 'about:blank', 'There is such a user, with other addresses.');
  else response.status(result === 'created' ? 201 : 200).json({ userId, addresses, displayName });
}
