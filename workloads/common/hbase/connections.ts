// The connections to all servers, opened when they are needed and made anew when they have broken.
import { Connection, type Service } from './connection.ts';
import { ConnectionLost } from './errors.ts';

export class Connections {
  readonly #user: string;
  readonly #open = new Map<string, Promise<Connection>>();
  readonly #ready = new Map<string, Connection>();
  #closed = false;

  /** @param user whom the servers' logs name */
  constructor(user: string) {
    this.#user = user;
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
    const opening = Connection.open(address, service, this.#user);
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
