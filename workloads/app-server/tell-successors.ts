// A planned leave, to the others: while this server still serves, those who will own its logs are asked to read them ahead;
// once it serves no more, all are told so, rather than left to see it on the ring.
import { request } from 'undici';
import { bearer } from '../common/http/platform-token.ts';
import type { Logger } from '../common/log.ts';
import { MAX_KEYS_AHEAD } from './api/read-ahead.ts';

/**
 * Resolves when they have, or at the deadline: a leave does not depend on it.
 * @param keys by the URL of who will own them
 */
export async function tellSuccessors(
  keys: ReadonlyMap<string, readonly string[]>,
  platformToken: string,
  deadlineMs: number,
  logger: Logger,
): Promise<void> {
  const signal = AbortSignal.timeout(deadlineMs);
  const tell = async (url: string, theirs: readonly string[]): Promise<void> => {
    for (let at = 0; at < theirs.length; at += MAX_KEYS_AHEAD)
      await post(
        new URL('/logs/ahead', url),
        { keys: theirs.slice(at, at + MAX_KEYS_AHEAD) },
        platformToken,
        signal,
      );
  };
  const asked = Array.from(keys, ([url, theirs]) =>
    tell(url, theirs).catch((error: unknown) =>
      logger.info({ err: error, url, keys: theirs.length }, 'a successor did not read ahead'),
    ),
  );
  await Promise.all(asked);
}

/** Resolves when a member has heard that a session of this server drains. @throws when it did not */
export async function tellLeft(
  url: string,
  session: string,
  platformToken: string,
  deadlineMs: number,
): Promise<void> {
  await post(new URL('/ring/left', url), { session }, platformToken, AbortSignal.timeout(deadlineMs));
}

async function post(url: URL, value: unknown, platformToken: string, signal: AbortSignal): Promise<void> {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { authorization: bearer(platformToken), 'content-type': 'application/json' },
    body: JSON.stringify(value),
    signal,
  });
  await body.dump();
  if (statusCode !== 204) throw new Error(`${url.host} answers ${statusCode}`);
}
