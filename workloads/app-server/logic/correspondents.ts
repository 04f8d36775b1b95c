// Whom the user wrote to: their answers are no strangers' mail.
import { normalizeAddress } from '../../common/keys.ts';
import { isCorrespondent, newCorrespondents } from '../image/filing.ts';
import type { OpenUser } from '../image/model.ts';
import { provenSender, type SenderEvidence } from './sender.ts';
import { userOf, type Tx } from './users.ts';

/** Of one message: a letter to more is no correspondence. */
export const MAX_RECIPIENTS = 100;

/** Notes whom the user wrote to; those who are known from lately add nothing to the log. @returns how many were new */
export function noteCorrespondents(tx: Tx, addresses: readonly string[]): number {
  const image = userOf(tx);
  const all = new Set(
    addresses.slice(0, MAX_RECIPIENTS).flatMap((address) => normalizeAddress(address) ?? []),
  );
  const others = [...all].filter((address) => !image.user.addresses.includes(address));
  const fresh = newCorrespondents(image, others);
  if (fresh.length > 0) tx.add({ type: 'correspondentsAdded', addresses: fresh });
  return fresh.length;
}

/** Is it proven that somebody sent this to whom the user wrote? @throws PageMissing */
export function isFromCorrespondent(image: OpenUser, evidence: SenderEvidence): boolean {
  const address = normalizeAddress(provenSender(evidence) ?? '');
  return address !== undefined && isCorrespondent(image, address);
}
