// A message that is looked at as a whole before any of it is stored: kept in memory while small, beyond that in a temporary
// file.
import { Spool } from '../../common/blobs/spool.ts';
import { ForgedResultsFilter } from '../authentication/strip.ts';
import type { Source } from '../authentication/protocol.ts';
import { IncomingMessage, together, type CompleteMessage, type IncomingOptions } from './incoming-message.ts';

export class SpooledMessage {
  readonly #options: IncomingOptions;
  readonly #spool = new Spool();
  sizeBytes = 0;
  #incoming: IncomingMessage | undefined;

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  /** Resolves when more may come. @throws BlobStoreUnavailable */
  async write(chunk: Uint8Array): Promise<void> {
    this.sizeBytes += chunk.length;
    await this.#spool.write(chunk);
  }

  /** The message as it was received, until it is completed or aborted. */
  source(): Source {
    return this.#spool.source();
  }

  /**
   * Stores the message, and parses it.
   * @param trace headers of ours that come before what was received
   * @param authservId of whom it may hold no Authentication-Results from outside
   * @throws BlobStoreUnavailable, ParseFailed
   */
  async complete(trace: Uint8Array, authservId: string): Promise<CompleteMessage> {
    const incoming = new IncomingMessage(this.#options, trace);
    this.#incoming = incoming;
    const filter = new ForgedResultsFilter(authservId);
    const give = async (bytes: Uint8Array): Promise<void> => {
      if (bytes.length > 0) await incoming.write(together([bytes]));
    };
    const all = this.#spool.read();
    if (Buffer.isBuffer(all)) await give(filter.push(all));
    else for await (const chunk of all) await give(filter.push(chunk as Buffer));
    await give(filter.end());
    const complete = await incoming.complete();
    await this.#spool.close();
    return complete;
  }

  async abort(): Promise<void> {
    await this.#incoming?.abort();
    await this.#spool.close();
  }
}
