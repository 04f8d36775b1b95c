// One ring client per cell: a session with the cell's coordination that follows its members. What befalls one cell's
// coordination touches the answers for no other.
import type { CellRecord } from '../common/cell-client/directory-messages.ts';
import { keepSession, type KeptSession } from '../common/coordination/keep-session.ts';
import type { Verdict } from '../common/http/health.ts';
import type { Logger } from '../common/log.ts';
import type { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import { allWell } from '../common/pulse.ts';
import { type RingWatcher, watchRing } from '../common/ring/ring-watcher.ts';
import type { RingView } from '../common/ring/ring.ts';

type RingClient = {
  coordination: string;
  kept: KeptSession;
  watcher: RingWatcher | undefined;
};

export type RingStatus = {
  /** True while the ring is known to be the newest. */
  current: boolean;
  /** Why it is not, for people. */
  problem: string | undefined;
};

export class RingClients {
  readonly #clients = new Map<string, RingClient>();
  readonly #timeoutMs: number;
  readonly #logger: Logger;
  readonly #metrics: WorkloadMetrics;
  readonly #onView: (cell: string, view: RingView) => void;

  constructor(options: {
    timeoutMs: number;
    logger: Logger;
    metrics: WorkloadMetrics;
    onView: (cell: string, view: RingView) => void;
  }) {
    this.#timeoutMs = options.timeoutMs;
    this.#logger = options.logger;
    this.#metrics = options.metrics;
    this.#onView = options.onView;
  }

  /** Has a client for each of the cells and for no other. */
  sync(cells: readonly Pick<CellRecord, 'name' | 'coordination'>[]): void {
    const wanted = new Map(cells.map(({ name, coordination }) => [name, coordination]));
    for (const [name, client] of this.#clients) {
      if (wanted.get(name) === client.coordination) continue;
      this.#clients.delete(name);
      void this.#end(name, client);
    }
    for (const [name, coordination] of wanted) {
      if (!this.#clients.has(name)) this.#start(name, coordination);
    }
  }

  status(cell: string): RingStatus {
    const client = this.#clients.get(cell);
    const current = client?.watcher?.current ?? false;
    return { current, problem: current ? undefined : (client?.kept.problem ?? 'its ring is being read') };
  }

  /** Not well when a cell's ring is neither followed nor tried to be. */
  health(): Verdict {
    return allWell([...this.#clients.values()].flatMap(({ kept, watcher }) => [kept, watcher ?? []].flat()));
  }

  async close(): Promise<void> {
    const clients = [...this.#clients];
    this.#clients.clear();
    await Promise.all(clients.map(([name, client]) => this.#end(name, client)));
  }

  #start(name: string, coordination: string): void {
    const kept = keepSession(coordination, {
      timeoutMs: this.#timeoutMs,
      logger: this.#logger.child({ cell: name }),
      metrics: this.#metrics,
      onSession: (session) => {
        client.watcher?.close();
        client.watcher = watchRing(session, (view) => {
          if (this.#clients.get(name) === client) this.#onView(name, view);
        });
      },
    });
    const client: RingClient = { coordination, kept, watcher: undefined };
    this.#clients.set(name, client);
  }

  async #end(name: string, client: RingClient): Promise<void> {
    client.watcher?.close();
    try {
      await client.kept.close();
    } catch (error) {
      this.#logger.warn({ err: error, cell: name }, 'closing a ring client failed');
    }
  }
}
