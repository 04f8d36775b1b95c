// The connections to all servers, opened when they are needed and made anew when they have broken.
import type { Stopwatch } from '../metrics/durations.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { Connection, MAX_CALLS_SENT, type Service, type StopwatchOf } from './connection.ts';
import { ConnectionLost } from './errors.ts';

export class Connections {
  readonly #user: string;
  readonly #open = new Map<string, Promise<Connection>>();
  readonly #ready = new Map<string, Connection>();
  readonly #stopwatchOf: StopwatchOf;
  #closed = false;

  /** @param user whom the servers' logs name */
  constructor(user: string, metrics?: WorkloadMetrics) {
    this.#user = user;
    this.#stopwatchOf = metrics ? stopwatches(metrics) : () => undefined;
    const fullest = (count: (one: Connection) => number): number =>
      Math.max(0, ...Array.from(this.#ready.values(), count));
    metrics?.queue('hbase_sent', () => fullest(({ sent }) => sent), MAX_CALLS_SENT);
    metrics?.queue('hbase_waiting', () => fullest(({ waiting }) => waiting));
  }

  /** A connection for data that is open already. */
  ready(address: string): Connection | undefined {
    const connection = this.#ready.get(address);
    if (connection?.isOpen) return connection;
    this.#ready.delete(address);
    return undefined;
  }

  /** @param address `host:port` @throws ConnectionLost */
  async get(address: string, service: Service = 'ClientService'): Promise<Connection> {
    const key = `${service} ${address}`;
    const known = this.#open.get(key);
    if (known) {
      const connection = await known;
      if (connection.isOpen) return connection;
      if (this.#open.get(key) === known) this.#open.delete(key);
    }
    if (this.#closed) throw new ConnectionLost('The client is closed.', false);
    const again = this.#open.get(key);
    if (again) return await again;
    const opening = Connection.open(address, service, this.#user, this.#stopwatchOf);
    this.#open.set(key, opening);
    try {
      const connection = await opening;
      if (this.#closed) connection.close();
      else if (service === 'ClientService') this.#ready.set(address, connection);
      return connection;
    } catch (error) {
      if (this.#open.get(key) === opening) this.#open.delete(key);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = await Promise.allSettled(this.#open.values());
    for (const result of all) {
      if (result.status === 'fulfilled') result.value.close();
    }
  }
}

function stopwatches(metrics: WorkloadMetrics): StopwatchOf {
  const known = new Map<string, Stopwatch>();
  return (method) => {
    const stopwatch = known.get(method) ?? metrics.storeCall('hbase', method);
    known.set(method, stopwatch);
    return stopwatch;
  };
}
