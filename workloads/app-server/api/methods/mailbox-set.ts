// Mailbox/set (RFC 8621 section 2.5).
import { z } from 'zod';
import type { Ordinal } from '../../image/ids.ts';
import {
  addMailbox,
  changeMailbox,
  findMailbox,
  removalBudget,
  removeMailbox,
  type MailboxProperties,
} from '../../logic/mailbox-updates.ts';
import { invalidProperties, type SetError } from '../../logic/set-error.ts';
import type { Call } from '../call.ts';
import { MAIL } from '../limits.ts';
import { mailboxObject } from '../mailbox-object.ts';
import { accountMethod } from '../method.ts';
import { idOrCreation } from '../schemas.ts';
import { assertSetSize, assertState, resolved, setArgs, SetOutcome, withoutUnchanged } from '../set.ts';

const propertiesSchema = z.strictObject({
  name: z.string().optional(),
  parentId: idOrCreation.nullable().optional(),
  role: z.string().nullable().optional(),
  sortOrder: z.number().optional(),
  isSubscribed: z.boolean().optional(),
});

function parseProperties(value: Record<string, unknown>, call: Call): MailboxProperties | SetError {
  const parsed = propertiesSchema.safeParse(value);
  if (parsed.success) {
    const { parentId } = parsed.data;
    return { ...parsed.data, parentId: parentId ? resolved(call, parentId) : parentId };
  }
  const bad = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys : issue.path.slice(0, 1).map(String),
  );
  return invalidProperties([...new Set(bad)], 'These are of a wrong type, or not for clients to set.');
}

function isSetError(value: object): value is SetError {
  return 'type' in value;
}

/** Goes on with a mailbox that has more emails than one transaction removes. */
async function destroyLarge(call: Call, id: string): Promise<SetError | undefined> {
  for (;;) {
    const result = await call.write((tx, image) => removeMailbox(tx, image, id, true, removalBudget()));
    if (result !== 'more') return result;
  }
}

export const mailboxSet = accountMethod({
  name: 'Mailbox/set',
  capability: MAIL,
  args: z.strictObject({ ...setArgs, onDestroyRemoveEmails: z.boolean().optional() }),
  async run(args, call) {
    assertSetSize(args);
    const outcome = new SetOutcome();
    const large: string[] = [];
    const destroyed = (id: string, problem: SetError | undefined): void => {
      if (problem) outcome.notDestroyed.set(id, problem);
      else outcome.destroyed.push(id);
    };
    const [oldState, newState] = await call.write((tx, image): [Ordinal, Ordinal] => {
      assertState(args.ifInState, image.mailboxesChangedAt);
      const before = image.mailboxesChangedAt;
      for (const [creationId, value] of Object.entries(args.create ?? {})) {
        const wanted = parseProperties(value, call);
        const made = isSetError(wanted) ? wanted : addMailbox(tx, image, wanted);
        if (isSetError(made)) {
          outcome.notCreated.set(creationId, made);
          continue;
        }
        call.createdIds.set(creationId, made.id);
        const mailbox = findMailbox(image, made.id);
        outcome.created.set(creationId, {
          ...made,
          totalEmails: 0,
          unreadEmails: 0,
          totalThreads: 0,
          unreadThreads: 0,
          ...(value.parentId === undefined ? { parentId: null } : {}),
          ...(value.role === undefined ? { role: null } : {}),
          ...(mailbox && mailbox.name !== value.name ? { name: mailbox.name } : {}),
        });
      }
      for (const [reference, value] of Object.entries(args.update ?? {})) {
        const id = resolved(call, reference);
        const mailbox = findMailbox(image, id);
        const patch = withoutUnchanged(value, mailbox && mailboxObject(mailbox));
        const wanted = parseProperties(patch, call);
        const problem = isSetError(wanted) ? wanted : changeMailbox(tx, image, id, wanted);
        if (problem) outcome.notUpdated.set(id, problem);
        else outcome.updated.set(id, null);
      }
      const removeEmails = args.onDestroyRemoveEmails ?? false;
      const budget = removalBudget();
      for (const reference of args.destroy ?? []) {
        const id = resolved(call, reference);
        const result = removeMailbox(tx, image, id, removeEmails, budget);
        if (result === 'more') large.push(id);
        else destroyed(id, result);
      }
      return [before, image.mailboxesChangedAt];
    });
    // What later transactions change lies after newState: a client that asks for changes since then hears of it.
    for (const id of large) destroyed(id, await destroyLarge(call, id));
    return outcome.response(oldState, newState);
  },
});
