// Before a planned leave: asks those who will own this server's logs to read them ahead, while it still serves.
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
    for (let at = 0; at < theirs.length; at += MAX_KEYS_AHEAD) {
      const { statusCode, body } = await request(new URL('/logs/ahead', url), {
        method: 'POST',
        headers: { authorization: bearer(platformToken), 'content-type': 'application/json' },
        body: JSON.stringify({ keys: theirs.slice(at, at + MAX_KEYS_AHEAD) }),
        signal,
      });
      await body.dump();
      if (statusCode !== 204) throw new Error(`it answers ${statusCode}`);
    }
  };
  const asked = Array.from(keys, ([url, theirs]) =>
    tell(url, theirs).catch((error: unknown) =>
      logger.info({ err: error, url, keys: theirs.length }, 'a successor did not read ahead'),
    ),
  );
  await Promise.all(asked);
}
