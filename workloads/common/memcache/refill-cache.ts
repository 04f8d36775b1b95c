// Values in the memcached servers of one data center that are only ever replaced by who looked at the truth after the last
// invalidation. A miss gives one asker a token; an invalidation makes every token given before it worthless
// (memcached's protocol.txt, "Meta commands": flags N, W, X, Z, I, C).
import { createHash } from 'node:crypto';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { MAX_UNDER_WAY, MemcacheConnection } from './connection.ts';

/** Of an asker who took a token and died: others ask the truth so long without storing it. */
const TOKEN_SECONDS = 3;
/** Values that nobody invalidates any more, as their user has moved, go at last. */
const VALUE_SECONDS = 3_600;
/** memcached's own bound is 250 bytes; digests of this many characters don't collide. */
const KEY_CHARACTERS = 27;

type Found = {
  value: Buffer | undefined;
  /** For store(), when it is our turn to look at the truth. */
  token: string | undefined;
};

export class RefillCache {
  readonly #servers: { name: string; connection: MemcacheConnection }[];
  readonly #prefix: string;

  /** @param servers `host:port` each; a key goes to the server where its digest is the highest */
  constructor(servers: readonly string[], prefix: string, metrics?: WorkloadMetrics) {
    this.#prefix = prefix;
    this.#servers = servers.map((name) => {
      const at = name.lastIndexOf(':');
      const connection = new MemcacheConnection(name.slice(0, at), Number(name.slice(at + 1)), metrics);
      return { name, connection };
    });
    const fullest = (): number => Math.max(...this.#servers.map(({ connection }) => connection.underWay));
    metrics?.queue('memcached_commands', fullest, MAX_UNDER_WAY);
  }

  /** @throws MemcacheUnavailable */
  async get(key: string): Promise<Found> {
    const { name, connection } = this.#place(key);
    const answer = await connection.send(`mg ${name} v c N${TOKEN_SECONDS}`);
    const isStale = answer.flags.includes('X');
    const isOurTurn = answer.flags.includes('W');
    const unique = isOurTurn ? answer.flags.find((flag) => flag.startsWith('c'))?.slice(1) : undefined;
    // What was made by the miss itself is empty until it is stored.
    const isValue = answer.value !== undefined && answer.value.length > 0 && !isStale;
    return {
      value: isValue ? answer.value : undefined,
      token: unique === undefined ? undefined : `${connection.generation}:${unique}`,
    };
  }

  /**
   * @returns false when the key was invalidated since the token was given, or the server went away: nothing is stored
   * @throws MemcacheUnavailable
   */
  async store(key: string, value: Buffer, token: string): Promise<boolean> {
    const { name, connection } = this.#place(key);
    const [generation, unique] = token.split(':');
    if (Number(generation) !== connection.generation) return false;
    const answer = await connection.send(`ms ${name} ${value.length} T${VALUE_SECONDS} C${unique}`, value);
    return answer.status === 'HD';
  }

  /** Whoever asks from now on gets no value from before; tokens given until now store nothing. @throws MemcacheUnavailable */
  async invalidate(key: string): Promise<void> {
    const { name, connection } = this.#place(key);
    await connection.send(`md ${name} I T${TOKEN_SECONDS}`);
  }

  close(): void {
    for (const { connection } of this.#servers) connection.close();
  }

  #place(key: string): { name: string; connection: MemcacheConnection } {
    const digest = createHash('sha256').update(`${this.#prefix}\n${key}`).digest();
    const name = digest.toString('base64url').slice(0, KEY_CHARACTERS);
    return { name, connection: this.#serverOf(name) };
  }

  #serverOf(name: string): MemcacheConnection {
    const [first, ...others] = this.#servers;
    if (!first) throw new Error('a cache without servers');
    if (others.length === 0) return first.connection;
    let best = { rank: '', connection: first.connection };
    for (const server of this.#servers) {
      const rank = createHash('sha1').update(`${server.name}\n${name}`).digest('hex');
      if (rank > best.rank) best = { rank, connection: server.connection };
    }
    return best.connection;
  }
}
