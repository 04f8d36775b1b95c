// PrivacySettings/get and /set (our own): one object a user, as VacationResponse is (RFC 8621 section 8).
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { normalizeAddress } from '../../../common/keys.ts';
import { parseThreadId, stateString } from '../../image/ids.ts';
import type { PrivacySettings } from '../../log/actions.ts';
import { MAX_PRIVACY_ITEMS } from '../../logic/privacy.ts';
import { invalidProperties, type SetError } from '../../logic/set-error.ts';
import { userOf } from '../../logic/users.ts';
import { getArgs, pick, propertiesToGet } from '../get.ts';
import { PRIVACY } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { assertSetSize, assertState, setArgs, SetOutcome } from '../set.ts';

const ID = 'singleton';
const SINGLETON: SetError = { type: 'singleton', description: 'There is one of it, always.' };
const MAX_DOMAIN_CHARS = 253;

/** Texts in the form in which they are compared, each once. */
function items(normalize: (text: string) => string | undefined): z.ZodType<string[]> {
  const item = z.string().transform((text, context) => {
    const normalized = normalize(text);
    if (normalized !== undefined) return normalized;
    context.addIssue({ code: 'custom', message: 'is not what belongs here' });
    return z.NEVER;
  });
  return z
    .array(item)
    .max(MAX_PRIVACY_ITEMS)
    .transform((list) => [...new Set(list)]);
}

function normalizeDomain(text: string): string | undefined {
  const domain = domainToASCII(text.replace(/^@/, ''));
  return domain !== '' && domain.length <= MAX_DOMAIN_CHARS ? domain : undefined;
}

const settingsSchema = z.strictObject({
  id: z.literal(ID).optional(),
  reach: z.enum(['everyone', 'friendsOfFriends', 'friends']),
  blockedAddresses: items(normalizeAddress),
  blockedDomains: items(normalizeDomain),
  mutedSenders: items(normalizeAddress),
  mutedThreads: items((text) => (parseThreadId(text) === undefined ? undefined : text)),
});

const PROPERTIES = new Set(Object.keys(settingsSchema.shape));

export const privacySettingsGet = accountMethod({
  name: 'PrivacySettings/get',
  capability: PRIVACY,
  args: z.strictObject(getArgs),
  async run(args, call) {
    const properties = propertiesToGet(args.properties, PROPERTIES);
    return call.read((image) => ({
      state: stateString(image.privacyChangedAt),
      list: !args.ids || args.ids.includes(ID) ? [pick({ id: ID, ...image.privacy }, properties)] : [],
      notFound: [...new Set(args.ids ?? [])].filter((id) => id !== ID),
    }));
  },
});

/** @param patch names whole properties */
function patched(before: PrivacySettings, patch: Record<string, unknown>): PrivacySettings | SetError {
  const parsed = settingsSchema.safeParse({ ...before, ...patch });
  if (!parsed.success) {
    const bad = parsed.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' ? issue.keys : issue.path.slice(0, 1).map(String),
    );
    return invalidProperties(
      [...new Set(bad)],
      `Not understood; lists have at most ${MAX_PRIVACY_ITEMS} items.`,
    );
  }
  const { id: _id, ...settings } = parsed.data;
  return settings;
}

export const privacySettingsSet = accountMethod({
  name: 'PrivacySettings/set',
  capability: PRIVACY,
  args: z.strictObject(setArgs),
  async run(args, call) {
    assertSetSize(args);
    return call.write((tx) => {
      const before = userOf(tx).privacyChangedAt;
      assertState(args.ifInState, before);
      const outcome = new SetOutcome();
      for (const creationId of Object.keys(args.create ?? {})) outcome.notCreated.set(creationId, SINGLETON);
      for (const id of new Set(args.destroy ?? [])) outcome.noteDestroyed(id, SINGLETON);
      for (const [id, patch] of Object.entries(args.update ?? {})) {
        const settings = id === ID ? patched(userOf(tx).privacy, patch) : { type: 'notFound' };
        if ('type' in settings) outcome.notUpdated.set(id, settings);
        else {
          tx.add({ type: 'privacySet', ...settings });
          outcome.updated.set(id, null);
        }
      }
      return outcome.response(before, userOf(tx).privacyChangedAt);
    });
  },
});
