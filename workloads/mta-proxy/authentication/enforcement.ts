// What follows from a message's authentication.
import type { Authentication } from '../../common/mail-auth/authentication.ts';

/** What is done at most with a message of which the From domain's owner says that it is not theirs. */
export const ENFORCEMENTS = ['reject', 'junk', 'none'] as const;
export type Enforcement = (typeof ENFORCEMENTS)[number];

/** DMARC alone condemns a message (RFC 7489 section 6.6): SPF and DKIM fail for honest reasons, too. */
export function enforced(
  found: Authentication | undefined,
  enforce: Enforcement,
): 'accept' | 'junk' | 'reject' {
  if (!found || enforce === 'none' || found.dmarc !== 'fail') return 'accept';
  if (found.dmarcPolicy === 'reject') return enforce;
  return found.dmarcPolicy === 'quarantine' ? 'junk' : 'accept';
}
