// Where and as whom the API server is reached: the library's configuration, with one connection pool. (The library
// itself makes a pool for each request.)
import { RequestContext, type HttpMethod, type KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';

/** The pool is renewed now and then: certificates and the API server's addresses change. */
const POOL_LIFE_MS = 600_000;

export type Target = { url: string; headers: Record<string, string>; dispatcher: Dispatcher | undefined };

export class Connections {
  readonly #config: KubeConfig;
  #pool: { dispatcher: Dispatcher | undefined; since: number } | undefined;

  constructor(config: KubeConfig) {
    this.#config = config;
  }

  /** @throws when the configuration names no cluster, or its credentials can't be had */
  async target(method: HttpMethod, path: string, query: Record<string, string>): Promise<Target> {
    const cluster = this.#config.getCurrentCluster();
    if (!cluster) throw new Error('The kubeconfig names no cluster.');
    const url = new URL(cluster.server.replace(/\/$/, '') + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const context = new RequestContext(url.href, method);
    await this.#config.applySecurityAuthentication(context);
    if (this.#pool && performance.now() - this.#pool.since > POOL_LIFE_MS) this.renew();
    if (!this.#pool) {
      this.#pool = {
        dispatcher: context.getDispatcher() as Dispatcher | undefined,
        since: performance.now(),
      };
    }
    return { url: url.href, headers: context.getHeaders(), dispatcher: this.#pool.dispatcher };
  }

  /**
   * Makes new connections from now on: old ones may lead nowhere, which an idle one does not tell. The old pool waits
   * for its own requests, watches among them, before it is gone.
   */
  renew(): void {
    void this.#pool?.dispatcher?.close().catch(() => undefined);
    this.#pool = undefined;
  }

  async close(): Promise<void> {
    const dispatcher = this.#pool?.dispatcher;
    this.#pool = undefined;
    await dispatcher?.destroy();
  }
}
