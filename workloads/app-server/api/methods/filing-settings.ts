// FilingSettings/get and /set (our own): one object a user with the rules and words on senders (docs/folders.md).
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { normalizeAddress } from '../../../common/keys.ts';
import { MAX_SENDERS } from '../../image/filing.ts';
import { stateString } from '../../image/ids.ts';
import type { OpenUser } from '../../image/model.ts';
import type { FilingRule, Folder } from '../../log/actions.ts';
import { isKeyword } from '../../logic/email-updates.ts';
import { MAX_RULE_KEYWORDS, MAX_RULES } from '../../logic/filing-rules.ts';
import { findMailbox } from '../../logic/mailbox-updates.ts';
import { invalidProperties, type SetError } from '../../logic/set-error.ts';
import { userOf, type Tx } from '../../logic/users.ts';
import { getArgs, pick, propertiesToGet } from '../get.ts';
import { FILING } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { assertSetSize, assertState, setArgs, SetOutcome } from '../set.ts';

const ID = 'singleton';
const SINGLETON: SetError = { type: 'singleton', description: 'There is one of it, always.' };
const PROPERTIES = new Set(['id', 'rules', 'senders']);
const MAX_TEXT_CHARS = 255;
/** A patch of one sender: `senders/ADDRESS`. */
const SENDER_PATH = 'senders/';

/** An address, or `@domain`, in the form in which it is compared. */
function normalizeParty(text: string): string | undefined {
  if (!text.startsWith('@')) return normalizeAddress(text);
  const domain = domainToASCII(text.slice(1));
  return domain === '' ? undefined : `@${domain}`;
}

function normalizedBy(normalize: (text: string) => string | undefined) {
  return z.string().transform((text, context) => {
    const normalized = normalize(text);
    if (normalized !== undefined) return normalized;
    context.addIssue({ code: 'custom', message: 'is not what belongs here' });
    return z.NEVER;
  });
}

const optional = <T extends z.ZodType<string>>(schema: T) =>
  schema.nullish().transform((text): string => text ?? '');

const rule = z
  .strictObject({
    name: z.string().max(MAX_TEXT_CHARS),
    from: optional(normalizedBy(normalizeParty)),
    to: optional(normalizedBy(normalizeParty)),
    subject: optional(z.string().min(1).max(MAX_TEXT_CHARS)),
    listId: optional(
      z
        .string()
        .min(1)
        .max(MAX_TEXT_CHARS)
        .transform((text): string => text.toLowerCase()),
    ),
    mailboxId: optional(z.string().min(1)),
    keywords: z
      .array(z.string().refine(isKeyword))
      .max(MAX_RULE_KEYWORDS)
      .default([])
      .transform((list) => [...new Set(list.map((keyword) => keyword.toLowerCase()))]),
    stop: z.boolean().default(false),
  })
  .refine(({ from, to, subject, listId }) => [from, to, subject, listId].some((text) => text !== ''));

const folder: z.ZodType<Folder> = z.enum(['inbox', 'other', 'junk']);
const rules = z.array(rule).max(MAX_RULES);
const senders = z.record(normalizedBy(normalizeAddress), folder);

function settingsOf({ filing }: OpenUser): Record<string, unknown> {
  return { id: ID, rules: filing.rules.map(toJson), senders: Object.fromEntries(filing.senders) };
}

/** Conditions and mailboxes that say nothing are null. */
function toJson({ from, to, subject, listId, mailboxId, ...rest }: FilingRule): Record<string, unknown> {
  const orNull = Object.entries({ from, to, subject, listId, mailboxId }).map(([name, text]) => [
    name,
    text === '' ? null : text,
  ]);
  return { ...rest, ...Object.fromEntries(orNull) };
}

export const filingSettingsGet = accountMethod({
  name: 'FilingSettings/get',
  capability: FILING,
  args: z.strictObject(getArgs),
  async run(args, call) {
    const properties = propertiesToGet(args.properties, PROPERTIES);
    return call.read((image) => ({
      state: stateString(image.filing.changedAt),
      list: !args.ids || args.ids.includes(ID) ? [pick(settingsOf(image), properties)] : [],
      notFound: [...new Set(args.ids ?? [])].filter((id) => id !== ID),
    }));
  },
});

type Change = { rules?: FilingRule[] | undefined; senders: Map<string, Folder | ''> };

/** What a patch changes, checked as a whole before anything is added. */
function changeOf(image: OpenUser, patch: Record<string, unknown>): Change | SetError {
  const bad: string[] = [];
  const change: Change = { senders: new Map() };
  for (const [name, value] of Object.entries(patch)) {
    if (name === 'rules') {
      const parsed = rules.safeParse(value);
      const isFiled = parsed.data?.every(
        ({ mailboxId }) => mailboxId === '' || findMailbox(image, mailboxId),
      );
      if (parsed.success && isFiled) change.rules = parsed.data;
      else bad.push(name);
    } else if (name === 'senders') {
      const parsed = senders.safeParse(value);
      const said = new Map(Object.entries(parsed.data ?? {}));
      if (!parsed.success || said.size > MAX_SENDERS) bad.push(name);
      else {
        for (const address of image.filing.senders.keys())
          change.senders.set(address, said.get(address) ?? '');
        for (const [address, wanted] of said) change.senders.set(address, wanted);
      }
    } else if (name.startsWith(SENDER_PATH)) {
      const text = name.slice(SENDER_PATH.length).replaceAll('~1', '/').replaceAll('~0', '~');
      const address = normalizeAddress(text);
      const wanted = folder.nullable().safeParse(value);
      if (address === undefined || !wanted.success) bad.push(name);
      else change.senders.set(address, wanted.data ?? '');
    } else if (name !== 'id' || value !== ID) bad.push(name);
  }
  return bad.length === 0 ? change : invalidProperties(bad, 'Not understood: see docs/folders.md.');
}

function apply(tx: Tx, { rules: list, senders: said }: Change): void {
  for (const [address, wanted] of said)
    if ((userOf(tx).filing.senders.get(address) ?? '') !== wanted)
      tx.add({ type: 'senderFiled', address, folder: wanted, emailId: '' });
  if (list) tx.add({ type: 'filingRulesSet', rules: list });
}

export const filingSettingsSet = accountMethod({
  name: 'FilingSettings/set',
  capability: FILING,
  args: z.strictObject(setArgs),
  async run(args, call) {
    assertSetSize(args);
    return call.write((tx) => {
      const before = userOf(tx).filing.changedAt;
      assertState(args.ifInState, before);
      const outcome = new SetOutcome();
      for (const creationId of Object.keys(args.create ?? {})) outcome.notCreated.set(creationId, SINGLETON);
      for (const id of new Set(args.destroy ?? [])) outcome.noteDestroyed(id, SINGLETON);
      for (const [id, patch] of Object.entries(args.update ?? {})) {
        const change = id === ID ? changeOf(userOf(tx), patch) : { type: 'notFound' };
        if ('type' in change) outcome.notUpdated.set(id, change);
        else {
          apply(tx, change);
          outcome.updated.set(id, null);
        }
      }
      return outcome.response(before, userOf(tx).filing.changedAt);
    });
  },
});
