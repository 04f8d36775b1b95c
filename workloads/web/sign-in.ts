// Who asks: HTTP Basic with an address and a password (RFC 7617). The user's app server checks the password; this door
// finds that server, limits wrong passwords, and lets nobody learn from the time of an answer which addresses exist.
import { createHmac, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { PasswordVerifier } from '../app-server/logic/credentials.ts';
import type { RequestOptions } from '../common/cell-client/sender.ts';
import { normalizeAddress, userKey } from '../common/keys.ts';
import { Attempts, type Allowance } from './attempts.ts';

/** A person who mistypes; then a guess each few seconds, which finds no password that is worth the name. */
const PER_ADDRESS: Allowance = { burst: 10, refillMs: 6_000 };
/** An office behind one address; a machine that tries many addresses. */
const PER_CLIENT: Allowance = { burst: 60, refillMs: 1_000 };
/** A refusal takes at least this long: longer than looking up an address and hashing a password, whatever happened. */
const REFUSAL_MS = 250;
/** Passwords that were right lately: no question to the app server before a request is read. */
const ACCEPTED_TTL_MS = 5 * 60_000;
const MAX_ACCEPTED = 10_000;
/** How long the user's app server may take, a change of owner included. */
const CHECK_DEADLINE_MS = 15_000;

/** What of the cell client a desk needs. */
export type UserServers = {
  resolveAddress(address: string, isFresh?: boolean): Promise<string | undefined>;
  request(
    key: string,
    options: RequestOptions,
  ): Promise<{
    status: number;
    headers: Record<string, string | string[] | undefined>;
    body: { dump(): Promise<void> };
  }>;
};

export type SignIn =
  | { outcome: 'accepted'; userId: string; authorization: string }
  | { outcome: 'refused' }
  | { outcome: 'missing' }
  | { outcome: 'limited'; retryAfterMs: number };

export class SignInDesk {
  readonly #cells: UserServers;
  readonly #now: () => number;
  readonly #perAddress: Attempts;
  readonly #perClient: Attempts;
  readonly #nobody: PasswordVerifier;
  readonly #secret = randomBytes(32);
  readonly #accepted: LRUCache<string, string>;

  constructor(cells: UserServers, now: () => number = Date.now) {
    this.#cells = cells;
    this.#now = now;
    this.#perAddress = new Attempts(PER_ADDRESS, now);
    this.#perClient = new Attempts(PER_CLIENT, now);
    this.#nobody = new PasswordVerifier(now);
    this.#accepted = new LRUCache({ max: MAX_ACCEPTED, ttl: ACCEPTED_TTL_MS });
  }

  /**
   * @param client the client's IP address
   * @param atMostMs how long ago the app server may have said that the password is right
   * @throws what the cell client throws when the user's app server can't be reached
   */
  async check(
    authorization: string | undefined,
    client: string,
    atMostMs = ACCEPTED_TTL_MS,
  ): Promise<SignIn> {
    const login = parseBasic(authorization);
    if (!authorization || !login) return { outcome: 'missing' };
    const digest = this.#digest(authorization);
    const known = this.#accepted.get(digest);
    const ageMs = ACCEPTED_TTL_MS - this.#accepted.getRemainingTTL(digest);
    if (known !== undefined && ageMs <= atMostMs)
      return { outcome: 'accepted', userId: known, authorization };
    const address = normalizeAddress(login.address) ?? '';
    const retryAfterMs = Math.max(
      this.#perAddress.blockedForMs(address),
      this.#perClient.blockedForMs(client),
    );
    if (retryAfterMs > 0) return { outcome: 'limited', retryAfterMs };
    return await this.#ask(authorization, { address, password: login.password, client, digest });
  }

  /** The app server refused what was accepted a while ago: the password has changed. */
  forget(authorization: string): void {
    this.#accepted.delete(this.#digest(authorization));
  }

  async #ask(
    authorization: string,
    login: { address: string; password: string; client: string; digest: string },
  ): Promise<SignIn> {
    const { address, client } = login;
    const refusedAtMs = this.#now() + REFUSAL_MS;
    this.#perAddress.take(address);
    this.#perClient.take(client);
    let result: SignIn | undefined;
    try {
      const userId = address === '' ? undefined : await this.#cells.resolveAddress(address);
      result = userId
        ? await this.#askOwners(address, userId, authorization)
        : await this.#pretend(address, login.password);
    } finally {
      if (result?.outcome !== 'refused') {
        this.#perAddress.giveBack(address);
        this.#perClient.giveBack(client);
      }
    }
    if (result.outcome === 'accepted') this.#accepted.set(login.digest, result.userId);
    else await delay(Math.max(0, refusedAtMs - this.#now()));
    return result;
  }

  /** Who refuses may not be the one who has the address since a moment. */
  async #askOwners(address: string, userId: string, authorization: string): Promise<SignIn> {
    const result = await this.#askOwner(userId, authorization);
    if (result.outcome !== 'refused') return result;
    const now = await this.#cells.resolveAddress(address, true);
    return now === undefined || now === userId ? result : await this.#askOwner(now, authorization);
  }

  async #askOwner(userId: string, authorization: string): Promise<SignIn> {
    const response = await this.#cells.request(userKey(userId), {
      method: 'GET',
      path: `/users/${userId}/jmap/session`,
      headers: { authorization },
      idempotent: true,
      deadlineMs: CHECK_DEADLINE_MS,
    });
    await response.body.dump();
    if (response.status === 200) return { outcome: 'accepted', userId, authorization };
    if (response.status === 429)
      return { outcome: 'limited', retryAfterMs: 1000 * (Number(response.headers['retry-after']) || 1) };
    if (response.status === 401 || response.status === 404) return { outcome: 'refused' };
    throw new Error(`the app server answers ${response.status} to a sign-in`);
  }

  /** Does for an address that nobody has what an app server does for its users. */
  async #pretend(address: string, password: string): Promise<SignIn> {
    const verdict = await this.#nobody.verify(address, undefined, password);
    const isLimited = !verdict.ok && verdict.retryAfterMs !== undefined;
    return isLimited
      ? { outcome: 'limited', retryAfterMs: verdict.retryAfterMs ?? 0 }
      : { outcome: 'refused' };
  }

  /** Passwords are not kept in memory as they are. */
  #digest(authorization: string): string {
    return createHmac('sha256', this.#secret).update(authorization).digest('base64');
  }
}

function parseBasic(authorization: string | undefined): { address: string; password: string } | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization ?? '')?.[1];
  if (!encoded) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { address: text.slice(0, colon), password: text.slice(colon + 1) };
}
