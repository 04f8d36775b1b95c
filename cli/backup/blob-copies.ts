// Copies the blobs that a backup needs, some at once, each only when the target lacks it.
import { LRUCache } from 'lru-cache';
import type { BlobId, BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { copyBlob } from '../../workloads/common/blobs/copy-blob.ts';

const PARALLEL_COPIES = 8;
/** Blobs that are known to be there; others are asked for. */
const MAX_KNOWN = 100_000;

export class BlobCopies {
  readonly #from: BlobStore;
  readonly #to: BlobStore;
  readonly #known = new LRUCache<BlobId, true>({ max: MAX_KNOWN });
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;
  readonly #copyAll: boolean;
  copied = 0;
  copiedBytes = 0;

  /** @param copyAll also what the target has: it may be damaged there */
  constructor(from: BlobStore, to: BlobStore, copyAll: boolean) {
    this.#from = from;
    this.#to = to;
    this.#copyAll = copyAll;
  }

  /** Resolves when more may come. @throws what an earlier copy failed of */
  async add(id: BlobId): Promise<void> {
    if (this.#from === this.#to || this.#known.has(id)) return;
    this.#known.set(id, true);
    while (this.#running.size >= PARALLEL_COPIES) await Promise.race(this.#running);
    this.#assertGood();
    const running = this.#copy(id)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** @throws what a copy failed of: then not all is there */
  async finish(): Promise<void> {
    await Promise.all(this.#running);
    this.#assertGood();
  }

  async #copy(id: BlobId): Promise<void> {
    if (!this.#copyAll && (await this.#to.size(id)) !== undefined) return;
    this.copiedBytes += await copyBlob(this.#from, this.#to, id);
    this.copied++;
  }

  #assertGood(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
