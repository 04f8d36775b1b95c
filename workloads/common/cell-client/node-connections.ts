// The connections of a client to app servers, and how many retries each of these may get.
import { Pool } from 'undici';
import { RetryBudget } from './retry-budget.ts';

/** Requests at once to one node; more wait for one to end. Event streams hold one each. */
const CONNECTIONS_PER_NODE = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** Shorter than the server's own, so that no request meets a connection that is being closed. */
const KEEP_ALIVE_MS = 30_000;

type NodeConnection = {
  readonly pool: Pool;
  /** Each node has its own: what a dead one cost must not keep requests from those that took over. */
  readonly budget: RetryBudget;
};

export class NodeConnections {
  readonly #nodes = new Map<string, NodeConnection>();

  of(url: string): NodeConnection {
    const { origin } = new URL(url);
    let node = this.#nodes.get(origin);
    if (!node) {
      const pool = new Pool(origin, {
        connections: CONNECTIONS_PER_NODE,
        connect: { timeout: CONNECT_TIMEOUT_MS },
        keepAliveTimeout: KEEP_ALIVE_MS,
        keepAliveMaxTimeout: KEEP_ALIVE_MS,
      });
      node = { pool, budget: new RetryBudget() };
      this.#nodes.set(origin, node);
    }
    return node;
  }

  /** Lets go of all other nodes; what is under way there goes on. */
  keep(urls: readonly string[]): void {
    if (this.#nodes.size === 0) return;
    const origins = new Set(urls.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin));
    for (const [origin, { pool }] of this.#nodes) {
      if (origins.has(origin)) continue;
      this.#nodes.delete(origin);
      pool.close().catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    const nodes = [...this.#nodes.values()];
    this.#nodes.clear();
    await Promise.all(nodes.map(({ pool }) => pool.destroy()));
  }
}
