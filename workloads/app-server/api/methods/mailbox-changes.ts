// Mailbox/changes (RFC 8621 section 2.2): told from what the image remembers of each mailbox.
import { z } from 'zod';
import { mailboxId, stateString, type Ordinal } from '../../image/ids.ts';
import type { UserImage } from '../../image/model.ts';
import { changesArgs, MAX_CHANGES, sinceOrdinal } from '../changes.ts';
import { MethodError } from '../errors.ts';
import { MAIL } from '../limits.ts';
import { accountMethod } from '../method.ts';

const COUNTS = ['totalEmails', 'unreadEmails', 'totalThreads', 'unreadThreads'];

type Change = { id: Ordinal; at: Ordinal; kind: 'created' | 'updated' | 'destroyed'; onlyCounts: boolean };

function changesSince(image: UserImage, since: Ordinal): Change[] {
  const changes: Change[] = [];
  for (const mailbox of image.mailboxes.values()) {
    if (mailbox.changedAt <= since) continue;
    const kind = mailbox.id > since ? 'created' : 'updated';
    const onlyCounts = mailbox.propertiesChangedAt <= since;
    changes.push({ id: mailbox.id, at: mailbox.changedAt, kind, onlyCounts });
  }
  // One that came and went since then is nothing to tell.
  for (const { id, destroyedAt } of image.destroyedMailboxes)
    if (destroyedAt > since && id <= since)
      changes.push({ id, at: destroyedAt, kind: 'destroyed', onlyCounts: false });
  return changes.sort((a, b) => a.at - b.at);
}

/** @returns how many of the changes fit; changes made by one action are told together */
function fitting(changes: readonly Change[], max: number): number {
  if (changes.length <= max) return changes.length;
  let count = max;
  while (count > 0 && changes[count - 1]?.at === changes[count]?.at) count--;
  if (count > 0) return count;
  throw new MethodError('cannotCalculateChanges', 'One action changed more mailboxes than maxChanges.');
}

export const mailboxChanges = accountMethod({
  name: 'Mailbox/changes',
  capability: MAIL,
  args: z.strictObject(changesArgs),
  async run({ sinceState, maxChanges }, call) {
    return call.read((image) => {
      const since = sinceOrdinal(sinceState, image.mailboxesChangedAt);
      if (since < image.mailboxFloor)
        throw new MethodError('cannotCalculateChanges', 'Too many mailboxes were destroyed since then.');
      const all = changesSince(image, since);
      const told = all.slice(0, fitting(all, Math.min(maxChanges ?? MAX_CHANGES, MAX_CHANGES)));
      const hasMoreChanges = told.length < all.length;
      const idsOf = (kind: Change['kind']): string[] =>
        told.filter((change) => change.kind === kind).map((change) => mailboxId(change.id));
      const updated = told.filter((change) => change.kind === 'updated');
      return {
        oldState: sinceState,
        newState: stateString(hasMoreChanges ? (told.at(-1)?.at ?? since) : image.mailboxesChangedAt),
        hasMoreChanges,
        created: idsOf('created'),
        updated: idsOf('updated'),
        destroyed: idsOf('destroyed'),
        updatedProperties: updated.length > 0 && updated.every((change) => change.onlyCounts) ? COUNTS : null,
      };
    });
  },
});
