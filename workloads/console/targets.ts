// Where the processes of a platform are. App servers are told by discovery; all others by configuration:
//
//   CELLPOST_CONSOLE_TARGETS=web=http://127.0.0.1:8080,mta-proxy=dns:cellpost-mta-proxy-pods.mail.svc.cluster.local:8082
//
// The name of a headless Service stands for each address that DNS gives for it.
import { lookup } from 'node:dns/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { httpUrl } from '../common/http/url.ts';
import type { Logger } from '../common/log.ts';

const MAX_TARGETS = 64;
/** Pods come and go; asking more often would only ask the name server's cache. */
const RESOLVE_MS = 5_000;
const RESOLVE_DEADLINE_MS = 3_000;
/** Of one name. */
const MAX_ADDRESSES = 200;

export type Target = { workload: string; at: { url: string } | { host: string; port: number } };
/** A process that should answer. */
export type Process = {
  /** Its workload and name, as people see it: `app-server a-0`, `web`. */
  name: string;
  workload: string;
  url: string;
};

const TARGET = /^([a-z][a-z-]{0,30})=(?:(https?:\/\/[^\s,/]+)\/?|dns:([A-Za-z0-9.-]{1,253}):(\d{1,5}))$/;

/** @throws Error with a sentence for whoever configured it */
export function parseTargets(text: string): Target[] {
  const words = text.split(',').filter((word) => word !== '');
  if (words.length > MAX_TARGETS) throw new Error(`has more than ${MAX_TARGETS} targets`);
  return words.map((word) => {
    const [, workload, url, host, port] = TARGET.exec(word) ?? [];
    if (workload && url) return { workload, at: { url } };
    if (workload && host) return { workload, at: { host, port: Number(port) } };
    throw new Error(
      `${JSON.stringify(word)} is neither WORKLOAD=http://HOST:PORT nor WORKLOAD=dns:NAME:PORT`,
    );
  });
}

/** Follows what DNS says of the configured targets. */
export class Targets {
  readonly #targets: readonly Target[];
  readonly #logger: Logger;
  readonly #addresses = new Map<string, string[]>();
  readonly #closing = new AbortController();
  readonly #resolving: Promise<void>;

  constructor(targets: readonly Target[], logger: Logger) {
    this.#targets = targets;
    this.#logger = logger;
    this.#resolving = this.#keepResolving();
  }

  /** The processes as far as they are known now. */
  processes(): Process[] {
    return this.#targets.flatMap(({ workload, at }) => {
      if ('url' in at) return [{ workload, url: at.url, name: workload }];
      return (this.#addresses.get(at.host) ?? []).map((address) => ({
        workload,
        url: httpUrl(address, at.port),
        name: `${workload} ${address}`,
      }));
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#resolving;
  }

  async #keepResolving(): Promise<void> {
    const hosts = new Set(this.#targets.flatMap(({ at }) => ('host' in at ? [at.host] : [])));
    while (hosts.size > 0 && !this.#closing.signal.aborted) {
      await Promise.all(Array.from(hosts, (host) => this.#resolve(host)));
      await delay(RESOLVE_MS, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** What was known stays while the name server does not answer. A name that is not there has no processes. */
  async #resolve(host: string): Promise<void> {
    const late = new AbortController();
    const tooLate = delay(RESOLVE_DEADLINE_MS, undefined, {
      signal: AbortSignal.any([late.signal, this.#closing.signal]),
    }).then(
      () => undefined,
      () => undefined,
    );
    try {
      const found = await Promise.race([lookup(host, { all: true }), tooLate]);
      if (found)
        this.#addresses.set(
          host,
          found
            .slice(0, MAX_ADDRESSES)
            .map(({ address }) => address)
            .toSorted(),
        );
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOTFOUND')
        this.#addresses.delete(host);
      else this.#logger.debug({ err: error, host }, 'a name could not be resolved');
    } finally {
      late.abort();
    }
  }
}
