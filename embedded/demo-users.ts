// The users that an embedded platform comes with; it listens on loopback only.
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import type { Cells } from '../workloads/common/cell-client/cells.ts';
import { bearer } from '../workloads/common/http/platform-token.ts';

export const DEMO_USERS = ['alice@cellpost.test', 'bob@cellpost.test', 'carol@cellpost.test'];
export const DEMO_PASSWORD = 'demo';

const RETRY_MS = 50;

/** Makes those that are not there yet; waits for the cells' nodes to serve. @returns their ids, and whether any was made */
export async function makeDemoUsers(cells: Cells): Promise<{ ids: string[]; isNew: boolean }> {
  let isNew = false;
  const ids = await Promise.all(
    DEMO_USERS.map(async (address) => {
      const known = await cells.resolveAddress(address);
      if (known !== undefined) return known;
      isNew = true;
      const name = address.slice(0, address.indexOf('@'));
      return cells.createUser({
        addresses: [address],
        displayName: name.charAt(0).toUpperCase() + name.slice(1),
        password: DEMO_PASSWORD,
      });
    }),
  );
  return { ids, isNew };
}

/** Makes each a friend of the next: the first and the last have a friend in common. Waits for the index to be ready. */
export async function makeDemoFriends(
  ids: readonly string[],
  index: { url: string; token: string },
  signal: AbortSignal,
): Promise<void> {
  for (const [at, other] of ids.slice(1).entries()) {
    const url = `${index.url}/v1/friendships/${ids[at]}/${other}`;
    for (;;) {
      const { statusCode, body } = await request(url, {
        method: 'PUT',
        headers: { authorization: bearer(index.token) },
        signal,
      });
      await body.dump();
      if (statusCode === 200) break;
      if (statusCode !== 503) throw new Error(`The user index answers ${statusCode} to a friendship.`);
      await delay(RETRY_MS, undefined, { signal });
    }
  }
}
