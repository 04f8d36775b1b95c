// Email/queryChanges (RFC 8621 section 4.5): an email that changed is told as removed and, where it is a result now, as added
// at its place; what did not change kept its order.
import { z } from 'zod';
import { emailId, seqOf, stateString, type Ordinal } from '../../image/ids.ts';
import type { Call } from '../call.ts';
import { sinceOrdinal } from '../changes.ts';
import { concernsEmailsAlone, emailQueryArgs, parseEmailQuery } from '../email-query-args.ts';
import { EmailSearch } from '../email-search.ts';
import { touchedEmail } from '../email-touches.ts';
import { MethodError } from '../errors.ts';
import { MAIL } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { id, unsignedInt } from '../schemas.ts';

/** Emails that may have changed since: a client further behind asks the query again. */
const MAX_TOUCHED = 2_000;
/** Entries of the log that are read to find them. */
const MAX_ENTRIES = 10_000;

/** Mail that arrives meanwhile makes it start again, this often at most. */
const MAX_ROUNDS = 10;

/** @throws MethodError cannotCalculateChanges */
async function touchedSince(call: Call, since: Ordinal): Promise<{ touched: Set<Ordinal>; upTo: Ordinal }> {
  const upTo = await call.read((image) => image.emailsChangedAt);
  if (seqOf(upTo) - seqOf(since) > MAX_ENTRIES) throw tooFarBehind();
  const touched = new Set<Ordinal>();
  if (upTo === since) return { touched, upTo };
  const actions = await call.services.actions.read(call.key, Math.max(1, seqOf(since)), seqOf(upTo));
  for (const each of actions) {
    const email = each.at > since && each.at <= upTo ? touchedEmail(each) : undefined;
    if (email) touched.add(email.id);
  }
  if (touched.size > MAX_TOUCHED) throw tooFarBehind();
  return { touched, upTo };
}

function tooFarBehind(): MethodError {
  return new MethodError('cannotCalculateChanges', 'Too much has changed since then: ask the query again.');
}

export const emailQueryChanges = accountMethod({
  name: 'Email/queryChanges',
  capability: MAIL,
  args: z.strictObject({
    accountId: id,
    ...emailQueryArgs,
    sinceQueryState: z.string(),
    maxChanges: unsignedInt.nullish(),
    upToId: id.nullish(),
    calculateTotal: z.boolean().optional(),
  }),
  async run(args, call) {
    const query = parseEmailQuery(args);
    if (!concernsEmailsAlone(query))
      throw new MethodError('cannotCalculateChanges', 'A query about threads: ask it again.');
    const since = await call.read((image) => sinceOrdinal(args.sinceQueryState, image.emailsChangedAt));
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const { touched, upTo } = await touchedSince(call, since);
      const response = await new EmailSearch(call, query).run((results, image) => {
        // Mail came meanwhile: what it touched is to be told as well.
        if (image.emailsChangedAt !== upTo) return undefined;
        const added = [...touched]
          .map((email) => ({ id: emailId(email), index: results.indexOf(emailId(email)) }))
          .filter(({ index }) => index >= 0)
          .sort((a, b) => a.index - b.index);
        return {
          oldQueryState: args.sinceQueryState,
          newQueryState: stateString(upTo),
          ...(args.calculateTotal ? { total: results.length } : {}),
          removed: [...touched].filter((email) => email <= since).map(emailId),
          added,
        };
      });
      if (!response) continue;
      if (response.removed.length + response.added.length > (args.maxChanges ?? Infinity))
        throw new MethodError('tooManyChanges', 'There are more changes than maxChanges.');
      return response;
    }
    throw new MethodError('serverUnavailable', 'The mailbox changes too fast for this; try again.');
  },
});
