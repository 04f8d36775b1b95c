// What is found out about a message before any of it is stored, and what follows from it.
import type { Authentication } from '../common/mail-auth/authentication.ts';
import type { Authenticator } from './authentication/authenticator.ts';
import { enforced, type Enforcement } from './authentication/enforcement.ts';
import type { Source } from './authentication/protocol.ts';
import type { Refusal, Transaction } from './smtp/sink.ts';

export type Screened = {
  /** Fields of ours for the top of the message. */
  header: string;
  authentication: Authentication;
  /** Why it belongs into Junk; '' when it does not. */
  junk: '' | 'dmarc';
};

export type ScreeningOptions = {
  authenticator: Authenticator;
  enforce: Enforcement;
  /** Does mail from this address go by as it is? */
  isTrusted: (address: string) => boolean;
};

export class Screening {
  readonly #options: ScreeningOptions;

  constructor(options: ScreeningOptions) {
    this.#options = options;
  }

  /** Whoever speaks LMTP is a relay of ours that has looked at the message itself. */
  concerns({ client }: Transaction): boolean {
    return client.protocol !== 'LMTP' && !this.#options.isTrusted(client.address);
  }

  async screen({ client, mailFrom }: Transaction, source: Source): Promise<Screened | { refusal: Refusal }> {
    const question = { ip: client.address, helo: client.name, mailFrom, source };
    const { header, authentication } = await this.#options.authenticator.check(question);
    const verdict = enforced(authentication, this.#options.enforce);
    if (verdict === 'reject') return { refusal: dmarcRefusal(authentication) };
    return { header, authentication, junk: verdict === 'junk' ? 'dmarc' : '' };
  }
}

/** The domain is the client's word: only what may stand in a reply is said again. */
function dmarcRefusal({ fromDomain }: Authentication): Refusal {
  const domain = /^[a-z0-9.-]{1,255}$/.test(fromDomain) ? fromDomain : 'the sender';
  return { code: 550, status: '5.7.1', text: `Refused by the DMARC policy of ${domain}` };
}
