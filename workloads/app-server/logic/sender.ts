// Who sent a message, as far as that is known to be true: anybody can write any name into a From header.
import type { Authentication } from '../../common/mail-auth/authentication.ts';
import type { ParsedMessage } from '../../common/mime/message.ts';
import type { Envelope } from '../log/actions.ts';

/** What is known of a message's sender. */
export type SenderEvidence = {
  message: Pick<ParsedMessage, 'headers'>;
  envelope: Envelope;
  /** Undefined when nobody looked: the message came from a machine of ours, or one that we trust. */
  authentication?: Authentication | undefined;
};

/** The addresses of the From header. */
export function fromOf(message: Pick<ParsedMessage, 'headers'>): string[] {
  return (message.headers.from ?? []).map(({ email }) => email);
}

/**
 * The address that a message is from: undefined unless it says one, and that is known to be true. It is when DMARC passes,
 * or, for domains without a DMARC record, when the very domain of the address signed it, or sent it by SPF.
 */
export function provenSender({ message, envelope, authentication }: SenderEvidence): string | undefined {
  const [only = envelope.mailFrom, ...others] = fromOf(message);
  if (others.length > 0 || only === '') return undefined;
  if (!authentication) return only;
  const { spf, dkimDomains, dmarc, fromDomain } = authentication;
  // What was checked is what the checker read there: two parsers may disagree on a header made for that.
  const domain = domainOf(only);
  if (domain === '' || domain !== fromDomain || dmarc === 'fail') return undefined;
  const isProven =
    dmarc === 'pass' ||
    dkimDomains.includes(domain) ||
    (spf === 'pass' && domainOf(envelope.mailFrom) === domain);
  return isProven ? only : undefined;
}

/** Might the sender have been proven, had the name servers answered? */
export function isProofMissing({ authentication }: SenderEvidence): boolean {
  if (!authentication) return false;
  const { spf, dkim, dmarc } = authentication;
  return [spf, dkim, dmarc].includes('temperror') && dmarc !== 'fail';
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}
