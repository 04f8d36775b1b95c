// The last map and rings as a document in the blob store: what replicas start from that all start at once while their
// coordination is away. Every replica stores what it knows, when that has changed and is known to be the newest.
import type { Documents } from '../common/blobs/blob-store.ts';
import { snapshotMessage } from '../common/cell-client/directory-messages.ts';
import type { Logger } from '../common/log.ts';
import type { DiscoveryState } from './state.ts';

const NAME = 'discovery-map.json';
/** Changes within that time are stored together; replicas take their time apart from each other. */
const SAVE_AFTER_MS = 2_000;
/** The coordination and the peers have newer ones: they come first. */
const READ_AFTER_MS = 2_000;
const RETRY_MS = 2_000;
/** The blob store may be away when discovery ends. */
const CLOSE_DEADLINE_MS = 2_000;

export type MapDocumentOptions = {
  documents: Pick<Documents, 'get' | 'put'>;
  state: DiscoveryState;
  logger: Logger;
  /** Is the map known to be the newest? An older one is not stored over what others know. */
  isCurrent: () => boolean;
  /** The state was taken from the document. */
  onRestored: () => void;
};

export class MapDocument {
  readonly #options: MapDocumentOptions;
  readonly #unsubscribe: () => void;
  #reading: NodeJS.Timeout | undefined;
  #saving: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: MapDocumentOptions) {
    this.#options = options;
    this.#reading = setTimeout(() => this.#run(() => this.#read()), READ_AFTER_MS);
    this.#unsubscribe = options.state.subscribe((message) => {
      if (message.type !== 'ping') this.#schedule();
    });
  }

  /** Stores what is not stored yet, if that can be done soon. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe();
    clearTimeout(this.#reading);
    clearTimeout(this.#saving);
    if (this.#saving) this.#run(() => this.#save());
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_DEADLINE_MS)));
    await Promise.race([this.#running, late]);
    clearTimeout(timer);
  }

  /** One after the other. */
  #run(work: () => Promise<void>): void {
    this.#running = this.#running.then(work);
  }

  #schedule(): void {
    const afterMs = SAVE_AFTER_MS * (0.5 + Math.random());
    this.#saving ??= setTimeout(() => this.#run(() => this.#save()), afterMs);
  }

  async #read(): Promise<void> {
    const { documents, state, logger, onRestored } = this.#options;
    if (state.known || this.#isClosed) return;
    try {
      const bytes = await documents.get(NAME);
      if (bytes && !state.known && !this.#isClosed) {
        const snapshot = snapshotMessage.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
        state.restore(snapshot);
        onRestored();
        logger.info({ mapVersion: snapshot.mapVersion }, 'the map comes from the blob store');
        return;
      }
    } catch (error) {
      logger.warn({ err: error }, 'the stored map can not be read');
    }
    if (!this.#isClosed) this.#reading = setTimeout(() => this.#run(() => this.#read()), RETRY_MS);
  }

  async #save(): Promise<void> {
    const { documents, state, logger, isCurrent } = this.#options;
    this.#saving = undefined;
    try {
      if (isCurrent()) await documents.put(NAME, Buffer.from(JSON.stringify(state.snapshot())));
      else if (!this.#isClosed) this.#schedule();
    } catch (error) {
      logger.warn({ err: error }, 'the map can not be stored');
      if (!this.#isClosed) this.#schedule();
    }
  }
}
