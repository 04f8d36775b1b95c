// Email/get (RFC 8621 section 4.2).
import { z } from 'zod';
import { emailId, stateString } from '../../image/ids.ts';
import type { EmailRecord } from '../../image/model.ts';
import { inParallel } from '../../image/parallel.ts';
import { findEmail } from '../../logic/email-updates.ts';
import type { Call } from '../call.ts';
import { imageProperties, messageProperties, type FetchOptions } from '../email-object.ts';
import { valueBudget } from '../email-parts.ts';
import { parseEmailProperties, type EmailWanted } from '../email-properties.ts';
import { getArgs, idsToGet, pick, propertyNames } from '../get.ts';
import { MAIL } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { unsignedInt } from '../schemas.ts';

/** Messages whose bytes are read at once. */
const PARALLEL_READS = 8;

type Found = { id: number; fromImage: Record<string, unknown> };

async function readMessages(
  call: Call,
  found: readonly Found[],
  wanted: EmailWanted,
  fetch: FetchOptions,
): Promise<Record<string, unknown>[]> {
  const messages = await call.services.messages.load(
    call.key,
    found.map(({ id }) => id),
  );
  const budget = valueBudget();
  return inParallel(found, PARALLEL_READS, async ({ id, fromImage }) => {
    const message = messages.get(id);
    if (!message) return fromImage;
    const bytes = call.services.messages.open(call.key, id, message);
    return Object.assign(fromImage, await messageProperties(id, message, bytes, wanted, fetch, budget));
  });
}

export const emailGet = accountMethod({
  name: 'Email/get',
  capability: MAIL,
  args: z.strictObject({
    ...getArgs,
    bodyProperties: propertyNames.nullish(),
    fetchTextBodyValues: z.boolean().optional(),
    fetchHTMLBodyValues: z.boolean().optional(),
    fetchAllBodyValues: z.boolean().optional(),
    maxBodyValueBytes: unsignedInt.optional(),
  }),
  async run(args, call) {
    const wanted = parseEmailProperties(args.properties, args.bodyProperties);
    const { found, notFound, state } = await call.read((image) => {
      const known: Found[] = [];
      const unknown: string[] = [];
      for (const id of idsToGet(args.ids, () => [...image.emails.values()].map(idOf))) {
        const email = findEmail(image, id);
        if (email)
          known.push({ id: email.id, fromImage: pick(imageProperties(email), wanted.email.properties) });
        else unknown.push(id);
      }
      return { found: known, notFound: unknown, state: stateString(image.emailsChangedAt) };
    });
    const fetch: FetchOptions = {
      text: args.fetchTextBodyValues ?? false,
      html: args.fetchHTMLBodyValues ?? false,
      all: args.fetchAllBodyValues ?? false,
      maxBytes: args.maxBodyValueBytes ?? 0,
    };
    const list = wanted.needsMessage
      ? await readMessages(call, found, wanted, fetch)
      : found.map(({ fromImage }) => fromImage);
    return { state, list, notFound };
  },
});

function idOf(email: EmailRecord): string {
  return emailId(email.id);
}
