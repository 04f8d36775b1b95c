// What is known of who sent a message: found by the MTA proxy, carried with the delivery, kept in the log.
import { readFileSync } from 'node:fs';

/** The source of the schema: a schema that has an Authentication in it is parsed beside this one. */
export const authenticationProto = readFileSync(new URL('authentication.proto', import.meta.url), 'utf8');

export type Authentication = {
  /** Results as RFC 8601 section 2.7 names them; '' when it was not looked at. */
  spf: string;
  /** The best of all signatures: one that passes is enough. */
  dkim: string;
  dmarc: string;
  arc: string;
  /** Domains of signatures that pass. */
  dkimDomains: string[];
  /** What the From header's domain asks for: none, quarantine or reject; '' when it has no record. */
  dmarcPolicy: string;
  /** The domain of the From header; '' when there is none, or several. */
  fromDomain: string;
};

export type WireAuthentication = Partial<Authentication>;

export function authenticationOf(wire: WireAuthentication): Authentication {
  const {
    spf = '',
    dkim = '',
    dmarc = '',
    arc = '',
    dkimDomains = [],
    dmarcPolicy = '',
    fromDomain = '',
  } = wire;
  return { spf, dkim, dmarc, arc, dkimDomains, dmarcPolicy, fromDomain };
}
