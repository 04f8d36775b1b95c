// The engine's sink on a real platform: addresses resolved by discovery and their owners, messages parsed once and
// delivered to the owner of each user.
import type { Cells } from '../../common/cell-client/cells.ts';
import { CellDisabled, Unassigned } from '../../common/cell-client/errors.ts';
import { normalizeAddress } from '../../common/keys.ts';
import { inRequest } from '../../common/request-id.ts';
import { beginSpan } from '../../common/tracing.ts';
import type { Client, MailSink, MessageWriter, Recipient, Refusal, Transaction } from '../smtp/sink.ts';
import type { Screened, Screening } from '../screening.ts';
import type { Correspondence } from './correspondence.ts';
import { Deliverer, type DelivererOptions } from './deliverer.ts';
import { IncomingMessage, type CompleteMessage, type IncomingOptions } from './incoming-message.ts';
import { CELL_DISABLED, LATER, NOBODY } from './refusals.ts';
import { SpooledMessage } from './spooled-message.ts';
import { traceHeaders } from './trace-headers.ts';

export type MailSinkOptions = DelivererOptions & {
  cells: Cells;
  hostname: string;
  incoming: IncomingOptions;
  screening: Screening;
  correspondence: Correspondence;
  /** A message has been answered; its first byte came at this moment of `performance.now()`. */
  onMessage: (protocol: Client['protocol'], startedAt: number) => void;
};

/** What a recipient is known by: the user's id. */
export class CellMailSink implements MailSink<string> {
  readonly #options: MailSinkOptions;
  readonly #deliverer: Deliverer;

  constructor(options: MailSinkOptions) {
    this.#options = options;
    this.#deliverer = new Deliverer(options);
  }

  recipient(address: string, transaction: Transaction): Promise<{ known: string } | { refusal: Refusal }> {
    return inRequest(transaction.id, () => this.#recipient(address, transaction));
  }

  async #recipient(
    address: string,
    transaction: Transaction,
  ): Promise<{ known: string } | { refusal: Refusal }> {
    const normalized = normalizeAddress(address);
    const { screening } = this.#options;
    const limited = screening.senderRefusal(transaction);
    if (limited) return { refusal: limited };
    if (!normalized) return { refusal: NOBODY };
    try {
      const userId = await this.#options.cells.resolveAddress(normalized);
      if (!userId) return { refusal: NOBODY };
      const refusal = screening.recipientRefusal(transaction, userId);
      return refusal ? { refusal } : { known: userId };
    } catch (error) {
      if (error instanceof Unassigned) return { refusal: NOBODY };
      this.#options.logger.warn({ err: error }, 'recipient not resolved');
      return { refusal: error instanceof CellDisabled ? CELL_DISABLED : LATER };
    }
  }

  message(transaction: Transaction, recipients: readonly Recipient<string>[]): MessageWriter {
    const { logger, onMessage } = this.#options;
    const receivedAt = new Date();
    const startedAt = performance.now();
    const span = inRequest(transaction.id, () => beginSpan('SMTP message', { kind: 'server' }));
    const message = this.#taken(transaction, recipients, receivedAt);
    // The blob store is away, or the message takes too long to parse: the rest of it is let go by, and the client asked to
    // send it again.
    let failed = false;
    const fail = async (error: unknown): Promise<void> => {
      failed = true;
      logger.warn({ err: error, requestId: transaction.id }, 'message not taken');
      await message.abort();
    };
    const deliver = async (): Promise<(true | Refusal)[]> => {
      const taken = (failed ? undefined : await message.complete().catch(fail)) ?? { refusal: LATER };
      const verdicts =
        'refusal' in taken
          ? recipients.map(() => taken.refusal)
          : await this.#deliverer.deliver(transaction, recipients, taken, receivedAt);
      if ('refusal' in taken) await message.abort();
      else this.#noteCorrespondence(transaction, taken, recipients, verdicts);
      const { address: client, protocol } = transaction.client;
      onMessage(protocol, startedAt);
      const sizeBytes = 'refusal' in taken ? undefined : taken.complete.parsed.sizeBytes;
      const stored = verdicts.filter((verdict) => verdict === true).length;
      logger.info({ client, protocol, sizeBytes, recipients: recipients.length, stored }, 'message answered');
      return verdicts;
    };
    return {
      write: async (chunk) => {
        if (!failed) await span.run(() => message.write(chunk)).catch(fail);
      },
      abort: async () => {
        span.end('given up');
        await message.abort();
      },
      deliver: () => inRequest(transaction.id, () => span.run(deliver)).finally(() => span.end()),
    };
  }

  #noteCorrespondence(
    { mailFrom }: Transaction,
    taken: Ready,
    recipients: readonly Recipient<string>[],
    verdicts: readonly (true | Refusal)[],
  ): void {
    const stored = recipients.filter((_, index) => verdicts[index] === true);
    const addresses = stored.map(({ address }) => address);
    if (addresses.length > 0) this.#options.correspondence.note(mailFrom, taken, addresses);
  }

  /** The message as it comes: stored as it streams in, or first looked at as a whole. */
  #taken(transaction: Transaction, recipients: readonly Recipient<string>[], receivedAt: Date): TakenMessage {
    const { hostname, incoming, screening } = this.#options;
    const trace = traceHeaders(transaction, hostname, receivedAt);
    if (!screening.concerns(transaction)) {
      const message = new IncomingMessage(incoming, trace);
      return {
        write: (chunk) => message.write(chunk),
        complete: async () => ({ complete: await message.complete() }),
        abort: () => message.abort(),
      };
    }
    const message = new SpooledMessage(incoming);
    return {
      write: (chunk) => message.write(chunk),
      complete: async () => {
        const rcptTo = recipients.map(({ address }) => address);
        const screened = await screening.screen(transaction, rcptTo, message.source(), message.sizeBytes);
        if ('refusal' in screened) return screened;
        const top = Buffer.concat([Buffer.from(screened.header), trace]);
        return { complete: await message.complete(top, hostname), screened };
      },
      abort: () => message.abort(),
    };
  }
}

/** A message ready to be delivered, and what is known of its sender, if it was looked at. */
export type Ready = { complete: CompleteMessage; screened?: Screened };

type TakenMessage = {
  write(chunk: Uint8Array): Promise<void>;
  complete(): Promise<Ready | { refusal: Refusal }>;
  abort(): Promise<void>;
};
