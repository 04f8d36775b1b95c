// A small JMAP client (RFC 8620) over fetch: the login goes in a header of each request, never into a cookie, so that no
// other site can make this page's requests.
import { readEvents } from './events.js';

/** @import { Invocation, Login, Session } from './types.d.ts' */

const USING = ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail'];
const MAIL = 'urn:ietf:params:jmap:mail';
/** Our own; cells of earlier versions lack some of them. */
export const COUNTS = 'urn:cellpost:counts';
export const PRIVACY = 'urn:cellpost:privacy';
export const FILING = 'urn:cellpost:filing';
const OWN = [COUNTS, PRIVACY, FILING];
const REQUEST_TIMEOUT_MS = 30_000;
/** An action is tried again while the server can't be reached: it says what shall be, so twice does no harm. */
const ACTION_TRIES = 6;
const ACTION_PAUSE_MS = 700;
/** The server sends a ping this often; a stream that is silent for longer is dead. */
const PING_S = 30;
const SILENCE_MS = 75_000;

/** The login was refused. */
export class SignInFailed extends Error {}

/** The server can't answer now, or the network is gone. */
export class Unreachable extends Error {}

export class JmapClient {
  /** @type {string} */
  #authorization;
  /** @type {Session} */
  session;

  /**
   * @param {string} authorization
   * @param {Session} session
   */
  constructor(authorization, session) {
    this.#authorization = authorization;
    this.session = session;
  }

  /**
   * @param {Login} login
   * @returns {Promise<JmapClient>}
   * @throws SignInFailed, Unreachable
   */
  static async open({ address, password }) {
    const bytes = new TextEncoder().encode(`${address}:${password}`);
    const authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
    const response = await send('/jmap/session', { headers: { authorization } });
    return new JmapClient(authorization, await response.json());
  }

  get accountId() {
    return this.session.primaryAccounts[MAIL] ?? '';
  }

  /** Does the user's cell offer this? @param {string} capability */
  has(capability) {
    return this.session.capabilities[capability] !== undefined;
  }

  /**
   * What is unread in the inbox and what is new, from the cheapest place that knows it.
   * @param {string} state of the type Counts, as push told it
   * @returns {Promise<{ unread: number, unseen: number }>}
   */
  async counts(state) {
    const headers = { authorization: this.#authorization };
    return await (await send(`/counts?state=${encodeURIComponent(state)}`, { headers })).json();
  }

  /**
   * Makes method calls in one request; their ids are their places: '0', '1' …
   * @param {[name: string, args: Record<string, unknown>][]} calls
   * @returns {Promise<any[]>} the arguments of the responses; their types depend on the methods
   * @throws with the type of the first method error; SignInFailed, Unreachable
   */
  async call(...calls) {
    const methodCalls = calls.map(([name, args], index) => [
      name,
      { accountId: this.accountId, ...args },
      String(index),
    ]);
    const response = await send('/jmap/api', {
      method: 'POST',
      headers: { authorization: this.#authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ using: [...USING, ...OWN.filter((one) => this.has(one))], methodCalls }),
    });
    /** @type {{ methodResponses: Invocation[] }} */
    const { methodResponses } = await response.json();
    return methodResponses.map(([name, args]) => {
      if (name === 'error') throw new Error(String(args.type));
      return args;
    });
  }

  /**
   * @param {{ blobId: string, name: string | null, type: string }} part
   * @returns {Promise<Blob>}
   */
  async download({ blobId, name, type }) {
    const path = [this.accountId, blobId, name || 'attachment'].map(encodeURIComponent).join('/');
    const url = `/jmap/download/${path}?type=${encodeURIComponent(type)}`;
    const response = await send(url, { headers: { authorization: this.#authorization } });
    return await response.blob();
  }

  /**
   * Listens to state changes until the signal is aborted; comes back by itself when the stream breaks.
   * @param {(states: Record<string, string>) => void} onChange the types that changed, with their states; none after a break: look yourself
   * @param {(isLive: boolean) => void} onLive
   * @param {AbortSignal} signal
   */
  async listen(onChange, onLive, signal) {
    let pauseMs = 500;
    for (let first = true; !signal.aborted; first = false) {
      try {
        const response = await fetch(`/jmap/eventsource?types=*&closeafter=no&ping=${PING_S}`, {
          headers: { authorization: this.#authorization },
          credentials: 'omit',
          cache: 'no-store',
          signal,
        });
        if (response.status === 401) return;
        if (response.ok && response.body) {
          onLive(true);
          pauseMs = 500;
          if (!first) onChange({});
          for await (const event of readEvents(response.body, SILENCE_MS)) {
            if (event.name !== 'state') continue;
            const changed = JSON.parse(event.data).changed?.[this.accountId] ?? {};
            onChange(changed);
          }
        }
      } catch {
        // The network or the server went away: try again below.
      }
      if (signal.aborted) return;
      onLive(false);
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())));
      pauseMs = Math.min(pauseMs * 2, 10_000);
    }
  }
}

/** @template T @param {() => Promise<T>} step @returns {Promise<T>} @throws what the step throws, Unreachable at last */
export async function untilReached(step) {
  for (let tries = 1; ; tries++) {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof Unreachable) || tries === ACTION_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, ACTION_PAUSE_MS));
    }
  }
}

/**
 * @param {string} url
 * @param {RequestInit} init
 */
async function send(url, init) {
  /** @type {Response} */
  let response;
  try {
    // credentials 'omit': or a browser would ask for a password by itself after a 401.
    response = await fetch(url, {
      ...init,
      credentials: 'omit',
      cache: 'no-store',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  } catch {
    throw new Unreachable('The server can’t be reached.');
  }
  if (response.ok) return response;
  if (response.status === 401) throw new SignInFailed('The address or the password is wrong.');
  if (response.status === 429)
    throw new SignInFailed('Too many wrong passwords. Wait a moment, then try again.');
  throw new Unreachable(`The server answers ${response.status}. Try again in a moment.`);
}
