// Workers that bring keys, one at a time each, from what is to what should be.
import type { Logger } from '../../workloads/common/log.ts';
import type { OperatorMetrics } from './metrics.ts';
import { WorkQueue } from './work-queue.ts';

/** Even when no watch says anything, each key is looked at so often, spread over as much time again. */
const RESYNC_MS = 300_000;

/** When to look again although nothing changed. */
export type ReconcileResult = { againInMs?: number };

export type ControllerOptions = {
  name: string;
  workers: number;
  logger: Logger;
  metrics: OperatorMetrics;
  /** Brings one key closer to what it should be. Throwing means: try again, later each time. */
  reconcile: (key: string) => Promise<ReconcileResult>;
};

export class Controller {
  readonly queue: WorkQueue;
  readonly #options: ControllerOptions;
  #workers: Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.queue = new WorkQueue();
    options.metrics.queue(options.name, () => this.queue.depth);
  }

  start(): void {
    this.#workers = Array.from({ length: this.#options.workers }, () => this.#work());
  }

  /** Takes no new key; resolves when those at work are done. */
  async close(): Promise<void> {
    this.queue.close();
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    const { name, logger, metrics, reconcile } = this.#options;
    for (let key = await this.queue.take(); key !== undefined; key = await this.queue.take()) {
      const end = metrics.reconcileDuration.startTimer({ controller: name });
      try {
        const { againInMs } = await reconcile(key);
        this.queue.forget(key);
        this.queue.addAfter(key, againInMs ?? RESYNC_MS * (1 + Math.random()));
      } catch (error) {
        metrics.reconcileErrors.inc({ controller: name });
        const delayMs = this.queue.retry(key);
        const why = error instanceof Error ? error.message : String(error);
        logger.warn({ key, why, retryInMs: Math.round(delayMs) }, 'a reconcile failed');
        logger.debug({ err: error, key }, 'a reconcile failed');
      } finally {
        end();
        this.queue.done(key);
      }
    }
  }
}
