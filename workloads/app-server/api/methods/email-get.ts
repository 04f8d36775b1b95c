// Email/get (RFC 8621 section 4.2).
import { z } from 'zod';
import { emailId, stateString } from '../../image/ids.ts';
import { ALL_MAIL, EmailList } from '../../image/lists.ts';
import type { UserImage } from '../../image/model.ts';
import { together } from '../../image/pages/page.ts';
import { inParallel } from '../../../common/parallel.ts';
import { findEmail } from '../../logic/email-updates.ts';
import type { Call } from '../call.ts';
import { imageProperties, messageProperties, type FetchOptions } from '../email-object.ts';
import { valueBudget } from '../email-parts.ts';
import { parseEmailProperties, type EmailWanted } from '../email-properties.ts';
import { getArgs, idsToGet, pick, propertyNames } from '../get.ts';
import { MAIL, MAX_OBJECTS_IN_GET } from '../limits.ts';
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
      const ids = idsToGet(args.ids, () => allEmailIds(image));
      const emails = together(ids.map((id) => () => ({ id, email: findEmail(image, id) })));
      for (const { id, email } of emails) {
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

/** All of them, or a few too many: then the request is refused. */
function allEmailIds(image: UserImage): string[] {
  const list = new EmailList(image, ALL_MAIL);
  const ids: string[] = [];
  for (let index = 0; index < Math.min(list.length, MAX_OBJECTS_IN_GET + 1); index++)
    ids.push(emailId(list.at(index) ?? 0));
  return ids;
}
