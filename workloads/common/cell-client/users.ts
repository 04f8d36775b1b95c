// Making a user: an id, the addresses that are claimed for it, its log.
import { randomBytes } from 'node:crypto';
import { text as readText } from 'node:stream/consumers';
import { addressKey, normalizeAddress, userKey } from '../keys.ts';
import { AddressTaken, UnexpectedAnswer } from './errors.ts';
import type { SentResponse, RequestOptions } from './sender.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
/** 75 bits: nobody's will be the same. */
const RANDOM_CHARACTERS = 15;

export type NewUser = {
  /** The first is the login. */
  addresses: string[];
  displayName: string;
  password: string;
};

/** Sends to the owner of a key, which is given a cell when it has none. */
type Send = (key: string, options: RequestOptions) => Promise<SentResponse>;

export function newUserId(): string {
  return `u${Array.from(randomBytes(RANDOM_CHARACTERS), (byte) => ALPHABET[byte % ALPHABET.length]).join('')}`;
}

/**
 * An address that was claimed by a creation which never came to its end is taken over with its user id.
 * @param chooseId makes an id for a user who signs in by that address
 * @returns the user's id
 * @throws AddressTaken; what sending throws
 */
export async function createUser(
  send: Send,
  chooseId: (login: string) => Promise<string>,
  user: NewUser,
): Promise<string> {
  const addresses = user.addresses.map((address) => {
    const normalized = normalizeAddress(address);
    if (!normalized) throw new TypeError(`${address} is no address.`);
    return normalized;
  });
  const [login] = addresses;
  if (login === undefined) throw new TypeError('A user needs an address.');
  const made = await chooseId(login);
  const userId = (await claimAddress(send, login, made)) ? made : await claimant(send, login);
  for (const address of addresses.slice(1)) {
    if (!(await claimAddress(send, address, userId))) throw new AddressTaken(address);
  }
  const response = await send(userKey(userId), {
    method: 'PUT',
    path: `/users/${userId}`,
    headers: JSON_TYPE,
    body: JSON.stringify({ addresses, displayName: user.displayName, password: user.password }),
    idempotent: true,
  });
  const text = await readText(response.body);
  if (response.status === 201) return userId;
  // There already: made by an attempt of ours whose answer was lost, or by somebody else.
  if (response.status === 200 && userId === made && response.attempts > 1) return userId;
  if (response.status === 200 || response.status === 409) throw new AddressTaken(login);
  throw new UnexpectedAnswer('PUT of a user', response.status, text);
}

export const JSON_TYPE = { 'content-type': 'application/json' };

/** Gives an address to a user. @returns false when it belongs to another */
export async function claimAddress(send: Send, address: string, userId: string): Promise<boolean> {
  const response = await send(addressKey(address), {
    method: 'PUT',
    path: `/addresses/${encodeURIComponent(address)}`,
    headers: JSON_TYPE,
    body: JSON.stringify({ userId }),
    idempotent: true,
  });
  const text = await readText(response.body);
  if (response.status === 409) return false;
  if (response.status === 200 || response.status === 201) return true;
  throw new UnexpectedAnswer('PUT of an address', response.status, text);
}

async function claimant(send: Send, address: string): Promise<string> {
  const userId = await readAddress(send, address);
  if (!userId) throw new AddressTaken(address);
  return userId;
}

/** @returns undefined when the address belongs to nobody */
export async function readAddress(send: Send, address: string): Promise<string | undefined> {
  const response = await send(addressKey(address), {
    method: 'GET',
    path: `/addresses/${encodeURIComponent(address)}`,
    idempotent: true,
  });
  const text = await readText(response.body);
  if (response.status === 404) return undefined;
  const answer: unknown = response.status === 200 ? JSON.parse(text) : undefined;
  if (typeof answer === 'object' && answer && 'userId' in answer && typeof answer.userId === 'string')
    return answer.userId;
  throw new UnexpectedAnswer('GET of an address', response.status, text);
}
