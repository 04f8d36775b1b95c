// Data centers around one platform for the counts test: each with a real memcached behind a relay, and replicas of the memcache
// dirty service that are started again when they die; and what can happen to them.
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Child } from '../../embedded/child.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { freePort } from '../support/free-port.ts';
import { startMemcached, type Memcached } from '../support/memcached.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import type { KillablePlatform } from './killable-platform.ts';

/** Slower than any memcached in the same building; two of it are within what the service waits for an answer. */
const FAR_MS = 100;

const answer = z.object({
  counts: z.record(
    z.string(),
    z.object({
      unread: z.number().int().min(0),
      unseen: z.number().int().min(0),
      seq: z.number().int().min(1),
    }),
  ),
  unknown: z.array(z.string()),
  unavailable: z.array(z.string()),
});
export type Answer = z.infer<typeof answer>;

/** One replica of the service. */
export class Replica {
  readonly #child: Child;
  readonly #token: string;
  readonly url: string;

  constructor(child: Child, url: string, token: string) {
    this.#child = child;
    this.url = url;
    this.#token = token;
  }

  /** @returns undefined while it does not answer @throws for an answer that is none: a negative count, for one */
  async counts(userIds: readonly string[]): Promise<Answer | undefined> {
    let body: unknown;
    try {
      const headers = { authorization: bearer(this.#token) };
      const response = await fetch(`${this.url}/counts?users=${userIds.join(',')}`, { headers });
      if (response.status !== 200) return undefined;
      body = await response.json();
    } catch {
      return undefined;
    }
    return answer.parse(body);
  }

  /** How many counts it found in memcached, since its start. */
  async hits(): Promise<number> {
    const text = await fetch(`${this.url}/metrics`).then(
      (response) => response.text(),
      () => '',
    );
    const line = /^cellpost_memcache_dirty_cache_requests_total\{cache="counts",result="hit"\} (\d+)/m;
    return Number(line.exec(text)?.[1] ?? 0);
  }

  kill(): void {
    signal(this.#child.pid, 'SIGKILL');
  }

  stopFor(ms: number): Promise<void> {
    return stopFor(this.#child.pid, ms);
  }
}

export class DataCenter {
  readonly #program: string;
  #memcached: Memcached | undefined;
  #proxy: TcpProxy | undefined;
  readonly replicas: Replica[] = [];

  private constructor(program: string) {
    this.#program = program;
  }

  /** @param name of it, for logs @param replicas how many */
  static async start(
    platform: KillablePlatform,
    { name, program, replicas }: { name: string; program: string; replicas: number },
  ): Promise<DataCenter> {
    const center = new DataCenter(program);
    center.#memcached = await startMemcached(program, await freePort());
    center.#proxy = await startTcpProxy(center.#memcached.port);
    for (let number = 0; number < replicas; number++) {
      const child = platform.child(`counts-${name}-${number}`, 'memcache-dirty');
      const { url } = await child.start(
        {
          CELLPOST_HTTP_PORT: '0',
          CELLPOST_PLATFORM_TOKEN: platform.token,
          CELLPOST_DISCOVERY_URL: platform.discoveryUrl,
          CELLPOST_MEMCACHED: `127.0.0.1:${center.#proxy.port}`,
        },
        { http: 'CELLPOST_HTTP_PORT' },
      );
      center.replicas.push(new Replica(child, url, platform.token));
    }
    return center;
  }

  /** It comes back empty, and counts its tokens from the beginning. */
  async restartMemcached(): Promise<void> {
    const port = this.#memcached?.port ?? 0;
    await this.#memcached?.kill();
    this.#memcached = await startMemcached(this.#program, port);
  }

  /** It comes back with all that it had, as from the next three. @returns what makes it come back */
  cutMemcached(): () => void {
    this.#proxy?.become('refuse');
    return () => this.#proxy?.become('pass');
  }

  silenceMemcached(): () => void {
    this.#proxy?.become('silent');
    return () => {
      // A connection does not lose bytes and go on.
      this.#proxy?.cut();
      this.#proxy?.become('pass');
    };
  }

  stopMemcached(): () => void {
    const pid = this.#memcached?.pid;
    signal(pid, 'SIGSTOP');
    return () => signal(pid, 'SIGCONT');
  }

  farMemcached(): () => void {
    this.#proxy?.lag(FAR_MS);
    return () => this.#proxy?.lag(0);
  }

  async close(): Promise<void> {
    await this.#memcached?.kill();
    await this.#proxy?.close();
  }
}

/** One that has been killed already is not there. */
export function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Stops a process as a full machine does, or a long pause of its virtual one. */
export async function stopFor(pid: number | undefined, ms: number): Promise<void> {
  signal(pid, 'SIGSTOP');
  await pause(ms);
  signal(pid, 'SIGCONT');
}
