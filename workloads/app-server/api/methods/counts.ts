// Counts/get and /set (our own): what is unread in the inbox, and what of it is new. One object a user, as
// VacationResponse is (RFC 8621 section 8). Setting `unseen` to 0 says that the user has looked.
import { z } from 'zod';
import { countsChangedAt, inboxOf } from '../../image/counts.ts';
import { stateString } from '../../image/ids.ts';
import type { OpenUser } from '../../image/model.ts';
import { invalidProperties, type SetError } from '../../logic/set-error.ts';
import { userOf, type Tx } from '../../logic/users.ts';
import { getArgs, pick, propertiesToGet } from '../get.ts';
import { COUNTS } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { assertSetSize, assertState, setArgs, SetOutcome } from '../set.ts';

const ID = 'singleton';
const SINGLETON: SetError = { type: 'singleton', description: 'There is one of it, always.' };
const PROPERTIES = new Set(['id', 'unread', 'unseen']);

const countsOf = (user: OpenUser): Record<string, unknown> => ({
  id: ID,
  unread: inboxOf(user.mailboxes)?.unreadEmails ?? 0,
  unseen: user.unseen,
});

export const countsGet = accountMethod({
  name: 'Counts/get',
  capability: COUNTS,
  args: z.strictObject(getArgs),
  async run(args, call) {
    const properties = propertiesToGet(args.properties, PROPERTIES);
    return call.read((image) => ({
      state: stateString(countsChangedAt(image)),
      list: !args.ids || args.ids.includes(ID) ? [pick(countsOf(image), properties)] : [],
      notFound: [...new Set(args.ids ?? [])].filter((id) => id !== ID),
    }));
  },
});

/** An entry only when something has arrived since the last look: pages look often. */
function look(tx: Tx): void {
  const { unseen, lastDeliveryAt, inboxSeenAt } = userOf(tx);
  if (unseen > 0 || lastDeliveryAt > inboxSeenAt) tx.add({ type: 'inboxSeen' });
}

function problemOf(id: string, patch: Record<string, unknown>): SetError | undefined {
  if (id !== ID) return { type: 'notFound' };
  const bad = Object.entries(patch).filter(([name, value]) => name !== 'unseen' || value !== 0);
  if (bad.length === 0) return undefined;
  return invalidProperties(
    bad.map(([name]) => name),
    'Only unseen can be set, and only to 0.',
  );
}

export const countsSet = accountMethod({
  name: 'Counts/set',
  capability: COUNTS,
  args: z.strictObject(setArgs),
  async run(args, call) {
    assertSetSize(args);
    return call.write((tx) => {
      const before = countsChangedAt(userOf(tx));
      assertState(args.ifInState, before);
      const outcome = new SetOutcome();
      for (const creationId of Object.keys(args.create ?? {})) outcome.notCreated.set(creationId, SINGLETON);
      for (const id of new Set(args.destroy ?? [])) outcome.noteDestroyed(id, SINGLETON);
      for (const [id, patch] of Object.entries(args.update ?? {})) {
        const problem = problemOf(id, patch);
        if (problem) outcome.notUpdated.set(id, problem);
        else {
          if ('unseen' in patch) look(tx);
          outcome.updated.set(id, null);
        }
      }
      return outcome.response(before, countsChangedAt(userOf(tx)));
    });
  },
});
