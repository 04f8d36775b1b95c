// Mailbox/set (RFC 8621 section 2.5).
import { z } from 'zod';
import type { UserImage } from '../../image/model.ts';
import {
  above,
  addMailbox,
  changeMailbox,
  findMailbox,
  MAX_MAILBOX_DEPTH,
  removalBudget,
  removeMailbox,
  type MailboxProperties,
} from '../../logic/mailbox-updates.ts';
import { invalidProperties, type SetError } from '../../logic/set-error.ts';
import type { Call } from '../call.ts';
import { MAIL } from '../limits.ts';
import { userOf, type Tx } from '../../logic/users.ts';
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
    const result = await call.write((tx) => removeMailbox(tx, id, true, removalBudget()));
    if (result !== 'more') return result;
  }
}

type Creations = Record<string, Record<string, unknown>>;

/** Parents that are made by the same call come before their children (RFC 8620 section 5.3). */
function inOrder(create: Creations): [creationId: string, value: Record<string, unknown>][] {
  const ordered = new Map<string, Record<string, unknown>>();
  const add = (creationId: string, depth: number): void => {
    const value = Object.hasOwn(create, creationId) ? create[creationId] : undefined;
    // A circle of parents ends here, too; none of its mailboxes finds its parent.
    if (!value || ordered.has(creationId) || depth > MAX_MAILBOX_DEPTH) return;
    if (typeof value.parentId === 'string' && value.parentId.startsWith('#'))
      add(value.parentId.slice(1), depth + 1);
    ordered.set(creationId, value);
  };
  for (const creationId of Object.keys(create)) add(creationId, 1);
  return [...ordered];
}

function createAll(call: Call, tx: Tx, create: Creations, outcome: SetOutcome): void {
  for (const [creationId, value] of inOrder(create)) {
    const wanted = parseProperties(value, call);
    const made = isSetError(wanted) ? wanted : addMailbox(tx, wanted);
    if (isSetError(made)) {
      outcome.notCreated.set(creationId, made);
      continue;
    }
    call.createdIds.set(creationId, made.id);
    const mailbox = findMailbox(userOf(tx), made.id);
    if (mailbox) outcome.created.set(creationId, withoutUnchanged(mailboxObject(mailbox), value));
  }
}

function updateAll(call: Call, tx: Tx, update: Creations, outcome: SetOutcome): void {
  for (const [reference, value] of Object.entries(update)) {
    const id = resolved(call, reference);
    const mailbox = findMailbox(userOf(tx), id);
    const patch = withoutUnchanged(value, mailbox && mailboxObject(mailbox));
    const wanted = parseProperties(patch, call);
    const problem = isSetError(wanted) ? wanted : changeMailbox(tx, id, wanted);
    if (problem) outcome.notUpdated.set(id, problem);
    else outcome.updated.set(id, null);
  }
}

/** What is to be destroyed, each once, those that lie deepest first. */
function deepestFirst(call: Call, image: UserImage, destroy: readonly string[]): string[] {
  const depth = (id: string): number => {
    let levels = 0;
    for (let mailbox = findMailbox(image, id); mailbox; mailbox = above(image, mailbox)) levels++;
    return levels;
  };
  const ids = [...new Set(destroy.map((reference) => resolved(call, reference)))];
  return ids.sort((a, b) => depth(b) - depth(a));
}

export const mailboxSet = accountMethod({
  name: 'Mailbox/set',
  capability: MAIL,
  args: z.strictObject({ ...setArgs, onDestroyRemoveEmails: z.boolean().optional() }),
  async run(args, call) {
    assertSetSize(args);
    const { outcome, large, oldState, newState } = await call.write((tx) => {
      const before = userOf(tx).mailboxesChangedAt;
      assertState(args.ifInState, before);
      const done = new SetOutcome();
      createAll(call, tx, args.create ?? {}, done);
      updateAll(call, tx, args.update ?? {}, done);
      const budget = removalBudget();
      const tooLarge: string[] = [];
      for (const id of deepestFirst(call, userOf(tx), args.destroy ?? [])) {
        const result = removeMailbox(tx, id, args.onDestroyRemoveEmails ?? false, budget);
        if (result === 'more') tooLarge.push(id);
        else done.noteDestroyed(id, result);
      }
      return { outcome: done, large: tooLarge, oldState: before, newState: userOf(tx).mailboxesChangedAt };
    });
    // What later transactions change lies after newState: a client that asks for changes since then hears of it.
    for (const id of large) outcome.noteDestroyed(id, await destroyLarge(call, id));
    return outcome.response(oldState, newState);
  },
});
