// Tells the app server of a user to whom the user has written, after the message was taken: nobody waits for it, and what can't
// be told is let go. An answer of theirs is no stranger's mail then (docs/folders.md).
import { LRUCache } from 'lru-cache';
import type { Cells } from '../../common/cell-client/cells.ts';
import type { Senders } from '../../common/cell-client/senders.ts';
import { normalizeAddress, userKey } from '../../common/keys.ts';
import type { Logger } from '../../common/log.ts';
import { decodeMessageBytes } from '../../common/mime/message-wire.ts';
import type { ParsedMessage } from '../../common/mime/message.ts';
import type { Ready } from './mail-sink.ts';

/** Messages that wait to be looked at; more are let go. */
const MAX_WAITING = 1_000;
const PARALLEL = 8;
const DEADLINE_MS = 5_000;
/** Of one message: as many as Correspondent/add takes. */
const MAX_RECIPIENTS = 100;
/** What was told lately needs no telling again. */
const MAX_TOLD = 50_000;
const TOLD_TTL_MS = 600_000;

const USING = ['urn:ietf:params:jmap:core', 'urn:cellpost:delivery'];

export type CorrespondenceOptions = {
  cells: Pick<Cells, 'request'>;
  senders: Pick<Senders, 'userOf' | 'isStranger'>;
  logger: Logger;
};

type Letter = { sender: string; addresses: readonly string[] };

export class Correspondence {
  readonly #options: CorrespondenceOptions;
  readonly #told = new LRUCache<string, true>({ max: MAX_TOLD, ttl: TOLD_TTL_MS });
  readonly #waiting: Letter[] = [];
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(options: CorrespondenceOptions) {
    this.#options = options;
  }

  /** A message was taken for these recipients. */
  note(mailFrom: string, message: Pick<Ready, 'complete' | 'screened'>, rcptTo: readonly string[]): void {
    if (this.#waiting.length >= MAX_WAITING || this.#ending.signal.aborted) return;
    // Most mail is from people who are no users: it costs no more than this.
    const { authentication } = message.screened ?? {};
    if (authentication ? authentication.dmarc !== 'pass' : this.#isStranger(mailFrom)) return;
    const parsed = decodeMessageBytes(message.complete.parsed.message);
    const sender = parsed && writerOf(mailFrom, message, parsed);
    if (!sender) return;
    const { to, cc } = parsed.headers;
    const named = [...(to ?? []), ...(cc ?? [])].map(({ email }) => email);
    const all = new Set([...rcptTo, ...named].flatMap((address) => normalizeAddress(address) ?? []));
    all.delete(sender);
    const addresses = [...all].slice(0, MAX_RECIPIENTS).filter((to) => !this.#told.has(`${sender} ${to}`));
    if (addresses.length === 0) return;
    this.#waiting.push({ sender, addresses });
    this.#start();
  }

  /** What waits is let go. */
  async close(): Promise<void> {
    this.#waiting.length = 0;
    this.#ending.abort();
    await Promise.all(this.#running);
  }

  #isStranger(mailFrom: string): boolean {
    const address = normalizeAddress(mailFrom);
    return address === undefined || this.#options.senders.isStranger(address);
  }

  #start(): void {
    while (this.#running.size < PARALLEL) {
      const letter = this.#waiting.shift();
      if (!letter) return;
      const running = this.#tell(letter)
        .catch((error: unknown) =>
          this.#options.logger.debug({ err: error }, 'a correspondence was not noted'),
        )
        .finally(() => {
          this.#running.delete(running);
          this.#start();
        });
      this.#running.add(running);
    }
  }

  async #tell({ sender, addresses }: Letter): Promise<void> {
    const { cells, senders } = this.#options;
    const userId = await senders.userOf(sender);
    if (userId === undefined) return;
    const response = await cells.request(userKey(userId), {
      method: 'POST',
      path: `/users/${userId}/jmap/api`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        using: USING,
        methodCalls: [['Correspondent/add', { accountId: userId, addresses }, '0']],
      }),
      // Saying it again adds nothing.
      idempotent: true,
      deadlineMs: DEADLINE_MS,
      signal: this.#ending.signal,
    });
    await response.body.dump();
    if (response.status === 200) for (const to of addresses) this.#told.set(`${sender} ${to}`, true);
  }
}

/**
 * The address of whoever wrote a message, if that is sure: by DMARC, or, where nothing is checked, as the envelope and the
 * header name the same.
 */
function writerOf(
  mailFrom: string,
  { screened }: Pick<Ready, 'screened'>,
  { headers }: ParsedMessage,
): string | undefined {
  const envelope = normalizeAddress(mailFrom);
  const [only = envelope, ...others] = (headers.from ?? []).map(({ email }) => normalizeAddress(email));
  if (only === undefined || others.length > 0) return undefined;
  if (!screened) return only === envelope ? only : undefined;
  const { dmarc, fromDomain } = screened.authentication;
  return dmarc === 'pass' && only.endsWith(`@${fromDomain}`) ? only : undefined;
}
