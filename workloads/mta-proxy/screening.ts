// What is found out about a message before any of it is stored, and what follows from it.
import type { Authentication } from '../common/mail-auth/authentication.ts';
import type { Authenticator } from './authentication/authenticator.ts';
import { enforced, type Enforcement } from './authentication/enforcement.ts';
import type { Source } from './authentication/protocol.ts';
import type { PolicyAnswer, PolicyHook } from './policy/hook.ts';
import { senderKeys, type RateKind, type RateLimits } from './policy/rate-limits.ts';
import type { Refusal, Transaction } from './smtp/sink.ts';

export type Screened = {
  /** Fields of ours for the top of the message. */
  header: string;
  authentication: Authentication;
  /** Why it belongs into Junk; '' when it does not. */
  junk: '' | 'dmarc' | 'policy';
};

export type ScreeningOptions = {
  authenticator: Authenticator;
  /** Undefined: the platform has none. */
  hook: PolicyHook | undefined;
  limits: RateLimits;
  onLimited: (kind: RateKind) => void;
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

  /** May this sender send one more copy? */
  senderRefusal(transaction: Transaction): Refusal | undefined {
    const { client, mailFrom } = transaction;
    if (!this.concerns(transaction)) return undefined;
    return this.#limited(this.#options.limits.take(senderKeys(client.address, mailFrom)));
  }

  /** May this user get one more copy? */
  recipientRefusal(transaction: Transaction, userId: string): Refusal | undefined {
    if (!this.concerns(transaction)) return undefined;
    const sender = transaction.mailFrom.toLowerCase();
    return this.#limited(
      this.#options.limits.take({
        recipient: userId,
        senderToRecipient: sender && `${sender} ${userId}`,
      }),
    );
  }

  #limited(kind: RateKind | undefined): Refusal | undefined {
    if (kind === undefined) return undefined;
    this.#options.onLimited(kind);
    return kind === 'recipient' ? TOO_MUCH_MAIL : TOO_MANY_MESSAGES;
  }

  async screen(
    { client, mailFrom }: Transaction,
    rcptTo: readonly string[],
    source: Source,
    sizeBytes: number,
  ): Promise<Screened | { refusal: Refusal }> {
    const question = { ip: client.address, helo: client.name, mailFrom, source };
    const { header, authentication } = await this.#options.authenticator.check(question);
    const verdict = enforced(authentication, this.#options.enforce);
    if (verdict === 'reject') return { refusal: dmarcRefusal(authentication) };
    const { address: clientAddress, name: helo } = client;
    const answer = await this.#options.hook?.ask({
      clientAddress,
      helo,
      mailFrom,
      rcptTo,
      sizeBytes,
      authentication,
    });
    const refusal = answer && policyRefusal(answer);
    if (refusal) return { refusal };
    const junk = verdict === 'junk' ? 'dmarc' : answer?.action === 'junk' ? 'policy' : '';
    return { header, authentication, junk };
  }
}

const TOO_MANY_MESSAGES: Refusal = {
  code: 450,
  status: '4.7.1',
  text: 'Too many messages from this sender, try again later',
};
const TOO_MUCH_MAIL: Refusal = {
  code: 450,
  status: '4.2.1',
  text: 'This mailbox gets too much mail now, try again later',
};

function policyRefusal({ action, text }: PolicyAnswer): Refusal | undefined {
  if (action === 'reject') return { code: 550, status: '5.7.1', text: text || 'Refused by policy' };
  if (action === 'tempfail')
    return { code: 451, status: '4.7.1', text: text || 'Not now by policy, try again later' };
  return undefined;
}

/** The domain is the client's word: only what may stand in a reply is said again. */
function dmarcRefusal({ fromDomain }: Authentication): Refusal {
  const domain = /^[a-z0-9.-]{1,255}$/.test(fromDomain) ? fromDomain : 'the sender';
  return { code: 550, status: '5.7.1', text: `Refused by the DMARC policy of ${domain}` };
}
