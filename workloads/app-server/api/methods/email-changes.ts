// Email/changes (RFC 8621 section 4.3).
import { z } from 'zod';
import { emailId } from '../../image/ids.ts';
import { changesArgs, MAX_CHANGES, sinceOrdinal } from '../changes.ts';
import { touchedEmail } from '../email-touches.ts';
import { MAIL } from '../limits.ts';
import { withActionsSince } from '../log-changes.ts';
import { accountMethod } from '../method.ts';
import { objectChanges } from '../object-changes.ts';

export const emailChanges = accountMethod({
  name: 'Email/changes',
  capability: MAIL,
  args: z.strictObject(changesArgs),
  async run({ sinceState, maxChanges }, call) {
    const max = Math.min(maxChanges ?? MAX_CHANGES, MAX_CHANGES);
    return withActionsSince(
      call,
      (image) => sinceOrdinal(sinceState, image.emailsChangedAt),
      (image) => image.emailsChangedAt,
      (image, actions, since) =>
        objectChanges(
          actions.flatMap((each) => touchedEmail(each) ?? []),
          since,
          image.emailsChangedAt,
          max,
          emailId,
        ),
    );
  },
});
