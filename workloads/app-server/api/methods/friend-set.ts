// Friend/set (RFC 8620 section 5.3). A user may end a friendship; that one begins is for the platform to say, as it takes
// both: else anybody could make themselves the friend of somebody who hears from friends only.
import { z } from 'zod';
import { addFriend, removeFriend } from '../../logic/friends.ts';
import { invalidProperties, type SetError } from '../../logic/set-error.ts';
import { userOf, type Tx } from '../../logic/users.ts';
import type { Call } from '../call.ts';
import { FRIENDS } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { assertSetSize, assertState, resolved, setArgs, SetOutcome } from '../set.ts';

const propertiesSchema = z.strictObject({ userId: z.string() });
const SERVICES_ONLY: SetError = { type: 'forbidden', description: 'The platform makes friends.' };

function create(call: Call, tx: Tx, value: Record<string, unknown>): { id: string } | SetError {
  if (call.principal.kind !== 'service') return SERVICES_ONLY;
  const parsed = propertiesSchema.safeParse(value);
  if (!parsed.success) return invalidProperties(['userId'], 'A friend has a userId and nothing else.');
  return addFriend(tx, parsed.data.userId) ?? { id: parsed.data.userId };
}

export const friendSet = accountMethod({
  name: 'Friend/set',
  capability: FRIENDS,
  args: z.strictObject(setArgs),
  async run(args, call) {
    assertSetSize(args);
    return call.write((tx) => {
      const before = userOf(tx).friendsChangedAt;
      assertState(args.ifInState, before);
      const outcome = new SetOutcome();
      for (const [creationId, value] of Object.entries(args.create ?? {})) {
        const made = create(call, tx, value);
        if ('type' in made) outcome.notCreated.set(creationId, made);
        else {
          call.createdIds.set(creationId, made.id);
          outcome.created.set(creationId, { id: made.id });
        }
      }
      for (const id of Object.keys(args.update ?? {}))
        outcome.notUpdated.set(id, {
          type: 'invalidProperties',
          description: 'Nothing of it can be changed.',
        });
      for (const reference of new Set(args.destroy ?? [])) {
        const id = resolved(call, reference);
        outcome.noteDestroyed(id, removeFriend(tx, id));
      }
      return outcome.response(before, userOf(tx).friendsChangedAt);
    });
  },
});
