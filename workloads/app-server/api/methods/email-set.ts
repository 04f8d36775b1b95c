// Email/set (RFC 8621 section 4.6): keywords, mailboxes, the end. Emails come by delivery, so none is created here.
import { z } from 'zod';
import type { EmailRecord } from '../../image/model.ts';
import { userOf } from '../../logic/users.ts';
import { destroyEmail, findEmail, updateEmail, type PatchObject } from '../../logic/email-updates.ts';
import type { Call } from '../call.ts';
import { imageProperties } from '../email-object.ts';
import { MAIL } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { assertSetSize, assertState, resolved, setArgs, SetOutcome, withoutUnchanged } from '../set.ts';

/** Mailboxes may be named by the creation ids of an earlier Mailbox/set of the same request. */
function resolveMailboxes(call: Call, patch: PatchObject): PatchObject {
  const entries = Object.entries(patch).map(([name, value]): [string, unknown] => {
    if (name.startsWith('mailboxIds/'))
      return [`mailboxIds/${resolved(call, name.slice('mailboxIds/'.length))}`, value];
    if (name === 'mailboxIds' && typeof value === 'object' && value !== null && !Array.isArray(value))
      return [name, Object.fromEntries(Object.entries(value).map(([id, on]) => [resolved(call, id), on]))];
    return [name, value];
  });
  return Object.fromEntries(entries);
}

/** What a client may name but not change. */
function serverSet(email: EmailRecord): Record<string, unknown> {
  const { keywords: _keywords, mailboxIds: _mailboxIds, ...rest } = imageProperties(email);
  return rest;
}

export const emailSet = accountMethod({
  name: 'Email/set',
  capability: MAIL,
  args: z.strictObject(setArgs),
  async run(args, call) {
    assertSetSize(args);
    return call.write((tx) => {
      const before = userOf(tx).emailsChangedAt;
      assertState(args.ifInState, before);
      const outcome = new SetOutcome();
      for (const creationId of Object.keys(args.create ?? {}))
        outcome.notCreated.set(creationId, {
          type: 'forbidden',
          description: 'Emails come into an account by delivery; this server takes none from clients.',
        });
      const destroy = new Set((args.destroy ?? []).map((id) => resolved(call, id)));
      for (const [reference, patch] of Object.entries(args.update ?? {})) {
        const id = resolved(call, reference);
        const email = findEmail(userOf(tx), id);
        const changes = withoutUnchanged(patch, email && serverSet(email));
        const problem = destroy.has(id)
          ? { type: 'willDestroy' }
          : updateEmail(tx, id, resolveMailboxes(call, changes));
        if (problem) outcome.notUpdated.set(id, problem);
        else outcome.updated.set(id, null);
      }
      for (const id of destroy) outcome.noteDestroyed(id, destroyEmail(tx, id));
      return outcome.response(before, userOf(tx).emailsChangedAt);
    });
  },
});
