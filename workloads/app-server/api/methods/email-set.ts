// Email/set (RFC 8621 section 4.6): keywords, mailboxes, the end. Emails come by delivery, so none is created here.
import { z } from 'zod';
import type { EmailRecord } from '../../image/model.ts';
import { together } from '../../image/pages/page.ts';
import type { MessageAdded } from '../../log/actions.ts';
import { userOf } from '../../logic/users.ts';
import { destroyEmail, findEmail, updateEmail, type PatchObject } from '../../logic/email-updates.ts';
import { learnFromMove } from '../../logic/teaching.ts';
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

/** What is known of the messages that are to be moved, so that the move can teach. */
async function messagesToMove(
  call: Call,
  update: Record<string, PatchObject>,
): Promise<Map<number, MessageAdded>> {
  const moved = Object.entries(update).flatMap(([id, patch]) =>
    Object.keys(patch).some((path) => path.startsWith('mailboxIds')) ? [resolved(call, id)] : [],
  );
  if (moved.length === 0) return new Map();
  const ids = await call.read((image) =>
    together(moved.map((id) => () => findEmail(image, id))).flatMap((email) => email?.id ?? []),
  );
  return call.services.messages.load(call.key, ids);
}

export const emailSet = accountMethod({
  name: 'Email/set',
  capability: MAIL,
  args: z.strictObject(setArgs),
  async run(args, call) {
    assertSetSize(args);
    const teachers = await messagesToMove(call, args.update ?? {});
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
        else {
          outcome.updated.set(id, null);
          const message = email && teachers.get(email.id);
          if (message) learnFromMove(tx, email, message);
        }
      }
      for (const id of destroy) outcome.noteDestroyed(id, destroyEmail(tx, id));
      return outcome.response(before, userOf(tx).emailsChangedAt);
    });
  },
});
