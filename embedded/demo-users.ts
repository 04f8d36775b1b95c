// The users that an embedded platform comes with; it listens on loopback only.
import type { Cells } from '../workloads/common/cell-client/cells.ts';

export const DEMO_USERS = ['alice@cellpost.test', 'bob@cellpost.test', 'carol@cellpost.test'];
export const DEMO_PASSWORD = 'demo';

/** Makes those that are not there yet; waits for the cells' nodes to serve. */
export async function makeDemoUsers(cells: Cells): Promise<void> {
  await Promise.all(
    DEMO_USERS.map(async (address) => {
      if (await cells.resolveAddress(address)) return;
      const name = address.slice(0, address.indexOf('@'));
      await cells.createUser({
        addresses: [address],
        displayName: name.charAt(0).toUpperCase() + name.slice(1),
        password: DEMO_PASSWORD,
      });
    }),
  );
}
