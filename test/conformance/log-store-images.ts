// Images of the real fold over a store under test.
import { soleOwner } from '../../workloads/app-server/ring/sole-owner.ts';
import { imageFold } from '../../workloads/app-server/image/fold.ts';
import { messageAdded } from '../../workloads/app-server/image/testing.ts';
import type { Action } from '../../workloads/app-server/log/actions.ts';
import { entryCodec } from '../../workloads/app-server/log/entry.ts';
import type { LogStore } from '../../workloads/app-server/log/log-store.ts';
import { UserLogs } from '../../workloads/app-server/log/user-log.ts';
import type { Image } from '../../workloads/app-server/image/model.ts';
import { systemClock } from '../../workloads/common/clock.ts';

const CACHE_BYTES = 64 * 1024 * 1024;
const MESSAGES_PER_ENTRY = 100;

let openings = 0;

/** The logs of a server that has just been started. */
export function openLogs(store: LogStore): UserLogs<Image, Action> {
  return new UserLogs<Image, Action>({
    store,
    codec: entryCodec,
    fold: imageFold,
    gate: soleOwner('conformance', `session ${++openings}`),
    clock: systemClock,
    cacheBytes: CACHE_BYTES,
  });
}

/** Writes a user with so many messages: from about a thousand on, its snapshot has pages. */
export async function fillMailbox(
  logs: UserLogs<Image, Action>,
  key: string,
  messages: number,
): Promise<void> {
  await logs.write(key, (tx) => {
    tx.add({
      type: 'userCreated',
      userId: 'u1',
      addresses: ['alice@cellpost.test'],
      displayName: 'Alice',
      cell: '',
    });
    tx.add({
      type: 'mailboxCreated',
      name: 'Inbox',
      parentId: '',
      role: 'inbox',
      sortOrder: 1,
      isSubscribed: true,
    });
  });
  for (let written = 0; written < messages; written += MESSAGES_PER_ENTRY) {
    await logs.write(key, (tx) => {
      for (let index = 0; index < MESSAGES_PER_ENTRY; index++)
        tx.add(messageAdded({ mailboxIds: ['m1-1'], deliveryKey: `delivery ${written + index}` }));
    });
  }
}
