// Gives users further addresses, moves and releases them: first in the log of the address, which mail follows, then in the
// lists of the users. Whoever dies in between has the same asked again; each change first finishes the one before it.
// docs/adr/0067-addresses-that-change-hands.md
import { text as readText } from 'node:stream/consumers';
import { z } from 'zod';
import { addressKey, userKey } from '../keys.ts';
import { AddressTaken, Unassigned, UnexpectedAnswer } from './errors.ts';
import type { RequestOptions, SentResponse } from './sender.ts';
import { claimAddress, JSON_TYPE } from './users.ts';

type Send = (key: string, options: RequestOptions) => Promise<SentResponse>;

/** What can't be, said to whoever asks. */
class AliasRefused extends Error {
  override name = 'AliasRefused';
}

const listAnswer = z.object({ addresses: z.array(z.string()) });
const ownerAnswer = z.object({ userId: z.string().optional(), formerUserId: z.string().optional() });
type Owner = z.infer<typeof ownerAnswer>;

/** All addresses are normalized: see normalizeAddress. Calls throw what sending throws, too. */
export class Aliases {
  readonly #send: Send;
  readonly #claim: Send;

  /**
   * @param send to the owner of a key
   * @param claim the same, for a key that is given a cell when it has none
   */
  constructor(send: Send, claim: Send) {
    this.#send = send;
    this.#claim = claim;
  }

  /** @returns undefined for a user who is not there */
  async list(userId: string): Promise<string[] | undefined> {
    const response = await this.#ask(userKey(userId), 'GET', `/users/${userId}/addresses`);
    if (response.status === 200) return listAnswer.parse(JSON.parse(response.text)).addresses;
    if (response.status === 404) return undefined;
    throw new UnexpectedAnswer("GET of a user's addresses", response.status, response.text);
  }

  /** @throws AddressTaken, AliasRefused */
  async add(address: string, userId: string): Promise<void> {
    await this.#assertUser(userId);
    await this.#settle(address);
    if (!(await claimAddress(this.#claim, address, userId))) throw new AddressTaken(address);
    await this.#putInList(userId, address);
  }

  /** Takes an address from whoever has it. @returns whose it was; undefined when it was the user's already @throws AliasRefused */
  async move(address: string, userId: string): Promise<string | undefined> {
    await this.#assertUser(userId);
    const from = await this.#settle(address);
    if (from === undefined) throw new AliasRefused(`Nobody has the address ${address}.`);
    if (from === userId) return undefined;
    await this.#assertNotOnly(address, from);
    const path = addressPath(address);
    const { status, text } = await this.#ask(addressKey(address), 'PUT', path, { userId, from });
    if (status === 409) throw new AliasRefused(`The address ${address} changed hands meanwhile.`);
    if (status !== 200) throw new UnexpectedAnswer('PUT of an address', status, text);
    await this.drop(from, address);
    await this.#putInList(userId, address);
    return from;
  }

  /** @returns false when the address is not the user's (any more) @throws AliasRefused */
  async remove(address: string, userId: string): Promise<boolean> {
    if ((await this.#settle(address)) !== userId) return false;
    await this.#assertNotOnly(address, userId);
    const path = `${addressPath(address)}?from=${userId}`;
    const { status, text } = await this.#ask(addressKey(address), 'DELETE', path);
    if (status !== 204) throw new UnexpectedAnswer('DELETE of an address', status, text);
    await this.drop(userId, address);
    return true;
  }

  /** Takes the address out of the user's own list, whoever has it. */
  async drop(userId: string, address: string): Promise<void> {
    const { status, text } = await this.#ask(userKey(userId), 'DELETE', listPath(userId, address));
    if (status !== 204 && status !== 404)
      throw new UnexpectedAnswer("DELETE of a user's address", status, text);
  }

  /** Finishes a change of the address that was broken off. @returns whose it is */
  async #settle(address: string): Promise<string | undefined> {
    const { userId, formerUserId } = await this.#owner(address);
    if (formerUserId !== undefined && formerUserId !== userId) await this.drop(formerUserId, address);
    // A user who is still being made lists it by then.
    if (userId !== undefined && (await this.list(userId)) !== undefined)
      await this.#putInList(userId, address);
    return userId;
  }

  async #owner(address: string): Promise<Owner> {
    const { status, text } = await this.#ask(addressKey(address), 'GET', addressPath(address));
    if (status !== 200 && status !== 404) throw new UnexpectedAnswer('GET of an address', status, text);
    return text === '' ? {} : ownerAnswer.parse(JSON.parse(text));
  }

  async #putInList(userId: string, address: string): Promise<void> {
    const { status, text } = await this.#ask(userKey(userId), 'PUT', listPath(userId, address));
    if (status === 409) throw new AliasRefused(`User ${userId} has as many addresses as one may have.`);
    if (status !== 200 && status !== 201) throw new UnexpectedAnswer("PUT of a user's address", status, text);
  }

  async #assertUser(userId: string): Promise<void> {
    const addresses = await this.list(userId);
    if (!addresses) throw new AliasRefused(`There is no user ${userId}.`);
  }

  async #assertNotOnly(address: string, userId: string): Promise<void> {
    const addresses = (await this.list(userId)) ?? [];
    if (addresses.length === 1 && addresses[0] === address)
      throw new AliasRefused(`${address} is the only address of user ${userId}, who signs in by it.`);
  }

  /** Every request here may be repeated. A key that is in no cell is answered 404. */
  async #ask(
    key: string,
    method: RequestOptions['method'],
    path: string,
    body?: object,
  ): Promise<{ status: number; text: string }> {
    try {
      const json = body && { headers: JSON_TYPE, body: JSON.stringify(body) };
      const response = await this.#send(key, { method, path, idempotent: true, ...json });
      return { status: response.status, text: await readText(response.body) };
    } catch (error) {
      if (error instanceof Unassigned) return { status: 404, text: '' };
      throw error;
    }
  }
}

function addressPath(address: string): string {
  return `/addresses/${encodeURIComponent(address)}`;
}

function listPath(userId: string, address: string): string {
  return `/users/${userId}/addresses/${encodeURIComponent(address)}`;
}
