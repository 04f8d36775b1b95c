// An app server is asked to give up its place on the ring before its pod goes, or to take it again.
import { request } from 'undici';
import { bearer } from '../../workloads/common/http/platform-token.ts';

/** It stores snapshots, lets requests end and waits until the others have seen it: 3 s, 3 s and 2 s at most. */
const DRAIN_TIMEOUT_MS = 12_000;
const REJOIN_TIMEOUT_MS = 3_000;

/** An app server could not be asked, or refused. The message is a sentence for people. */
export class PlaceError extends Error {
  override name = 'PlaceError';
}

export type AppServerPlace = {
  /**
   * Resolves when the ring has seen that it owns no user; it takes part again by itself after 20 s.
   * @returns false: an older server, which hands over when it ends and not before
   * @throws PlaceError
   */
  drain(url: string, token: string): Promise<boolean>;
  /** @throws PlaceError */
  rejoin(url: string, token: string): Promise<void>;
};

async function ask(
  method: 'POST' | 'DELETE',
  url: string,
  token: string,
  timeoutMs: number,
): Promise<boolean> {
  const host = new URL(url).host;
  const response = await request(`${url}/drain`, {
    method,
    headers: { authorization: bearer(token) },
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((error: unknown) => {
    throw new PlaceError(`App server ${host} does not answer (${String(error)}).`);
  });
  await response.body.dump();
  if (response.statusCode === 404) return false;
  if (response.statusCode >= 300)
    throw new PlaceError(`App server ${host} refused to hand over: HTTP ${response.statusCode}.`);
  return true;
}

export const appServerPlace: AppServerPlace = {
  drain: (url, token) => ask('POST', url, token, DRAIN_TIMEOUT_MS),
  async rejoin(url, token) {
    await ask('DELETE', url, token, REJOIN_TIMEOUT_MS);
  },
};
