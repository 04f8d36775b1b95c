// Who asks: a service of the platform, or a user with address and password.
import type { Request, Response } from 'express';
import { isPlatform } from '../../common/http/platform-token.ts';
import { sendProblem } from '../../common/http/server.ts';
import { normalizeAddress, userKey } from '../../common/keys.ts';
import { asUser } from '../image/model.ts';
import type { PasswordVerifier } from '../logic/credentials.ts';
import type { Logs } from './services.ts';

export type Principal = { kind: 'service' } | { kind: 'user'; userId: string };

const REALM = 'Basic realm="Cellpost", charset="UTF-8"';

export function isService(request: Request, platformToken: string): boolean {
  return isPlatform(request.headers.authorization, platformToken);
}

/** Answers 401: the same for a wrong password, an unknown user and another user's mailbox. */
function refuse(response: Response, retryAfterMs?: number): undefined {
  if (retryAfterMs === undefined) {
    response.set('WWW-Authenticate', REALM);
    sendProblem(response, 401, 'about:blank', 'Sign in with address and password.');
  } else {
    response.set('Retry-After', String(Math.ceil(retryAfterMs / 1000)));
    sendProblem(response, 429, 'about:blank', 'Too many wrong passwords; try again later.');
  }
  return undefined;
}

/**
 * Finds out who asks for the user's data.
 * @returns undefined after it was refused: the response is sent
 * @throws what reading the user's log throws: Misdirected …
 */
export async function authenticate(
  request: Request,
  response: Response,
  userId: string,
  services: { logs: Logs; passwords: PasswordVerifier; platformToken: string },
): Promise<Principal | undefined> {
  if (isService(request, services.platformToken)) return { kind: 'service' };
  const login = parseBasic(request.headers.authorization);
  if (!login) return refuse(response);
  const address = normalizeAddress(login.address);
  const credentials = await services.logs.read(userKey(userId), (image) => {
    const user = asUser(image);
    return user && address !== undefined && user.user.addresses.includes(address)
      ? user.credentials
      : undefined;
  });
  const verdict = await services.passwords.verify(userId, credentials, login.password);
  return verdict.ok ? { kind: 'user', userId } : refuse(response, verdict.retryAfterMs);
}

/** RFC 7617; the longest header that Node takes is 16 KiB, so nothing here is long. */
function parseBasic(authorization: string | undefined): { address: string; password: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization ?? '');
  if (!match?.[1]) return undefined;
  const text = Buffer.from(match[1], 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { address: text.slice(0, colon), password: text.slice(colon + 1) };
}
