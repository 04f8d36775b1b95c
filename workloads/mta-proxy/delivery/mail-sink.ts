// The engine's sink on a real platform: addresses resolved by discovery and their owners, messages parsed once and
// delivered to the owner of each user.
import type { BlobStore } from '../../common/blobs/blob-store.ts';
import { CellDisabled, Unassigned } from '../../common/cell-client/errors.ts';
import { normalizeAddress } from '../../common/keys.ts';
import type { MailSink, MessageWriter, Recipient, Refusal, Transaction } from '../smtp/sink.ts';
import { Deliverer, type DelivererOptions } from './deliverer.ts';
import { IncomingMessage } from './incoming-message.ts';
import { CELL_DISABLED, LATER, NOBODY } from './refusals.ts';
import { traceHeaders } from './trace-headers.ts';

export type MailSinkOptions = DelivererOptions & {
  blobs: BlobStore;
  hostname: string;
  /** A message of up to so many bytes travels in the delivery, a larger one by way of the blob store. */
  inlineBytes: number;
  now?: () => Date;
};

/** What a recipient is known by: the user's id. */
export class CellMailSink implements MailSink<string> {
  readonly #options: MailSinkOptions;
  readonly #deliverer: Deliverer;

  constructor(options: MailSinkOptions) {
    this.#options = options;
    this.#deliverer = new Deliverer(options);
  }

  async recipient(
    address: string,
    transaction: Transaction,
  ): Promise<{ known: string } | { refusal: Refusal }> {
    const normalized = normalizeAddress(address);
    if (!normalized) return { refusal: NOBODY };
    try {
      const userId = await this.#options.cells.resolveAddress(normalized);
      return userId ? { known: userId } : { refusal: NOBODY };
    } catch (error) {
      if (error instanceof Unassigned) return { refusal: NOBODY };
      this.#options.logger.warn({ err: error, requestId: transaction.id }, 'recipient not resolved');
      return { refusal: error instanceof CellDisabled ? CELL_DISABLED : LATER };
    }
  }

  message(transaction: Transaction, recipients: readonly Recipient<string>[]): MessageWriter {
    const { blobs, hostname, inlineBytes, logger, now = () => new Date() } = this.#options;
    const receivedAt = now();
    const message = new IncomingMessage(blobs, inlineBytes, traceHeaders(transaction, hostname, receivedAt));
    return {
      write: (chunk) => message.write(chunk),
      abort: () => message.abort(),
      deliver: async () => {
        try {
          const complete = await message.complete();
          return await this.#deliverer.deliver(transaction, recipients, complete, receivedAt);
        } catch (error) {
          // The blob store is away, or parsing took too long: nothing was delivered.
          logger.warn({ err: error, requestId: transaction.id }, 'message not taken');
          return recipients.map(() => LATER);
        }
      },
    };
  }
}
