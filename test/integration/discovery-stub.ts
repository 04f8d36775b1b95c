// Stands for an app server where only ring and HTTP matter: registers in its cell's ring, refuses what it does not own
// (421 with the owner), counts what it did. As a program (COORDINATION NAME) it can be killed.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { CoordinationSession } from '../../workloads/common/coordination/coordination.ts';
import { openCoordination } from '../../workloads/common/coordination/open.ts';
import { hashKey } from '../../workloads/common/hash.ts';
import { encodeMember, NODES } from '../../workloads/common/ring/registry.ts';
import { type RingWatcher, watchRing } from '../../workloads/common/ring/ring-watcher.ts';
import { type MemberState, Ring, type RingMember } from '../../workloads/common/ring/ring.ts';

/** What a cell stores; shared by its stubs. */
export type StubStore = { addresses: Map<string, string>; users: Map<string, string> };

type Handler = (request: IncomingMessage, response: ServerResponse) => boolean;

export class StubServer {
  readonly name: string;
  url = '';
  /** Paths of requests that were carried out, in order. */
  readonly done: string[] = [];
  /** May answer instead; returns false to leave it to the stub. */
  intercept: Handler = () => false;
  readonly #store: StubStore;
  readonly #server: Server;
  #session: CoordinationSession | undefined;
  #watcher: RingWatcher | undefined;

  constructor(name: string, store: StubStore = { addresses: new Map(), users: new Map() }) {
    this.name = name;
    this.#store = store;
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  /** Listens and registers. */
  async start(coordination: string, state: MemberState = 'serving', timeoutMs = 1_000): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    this.url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    this.#session = await openCoordination(coordination, { timeoutMs });
    await this.#session.create(NODES, new Uint8Array()).catch(() => undefined);
    this.#watcher = watchRing(this.#session, () => undefined);
    await this.#session.create(`${NODES}/${this.name}`, this.#member(state), { ephemeral: true });
  }

  async become(state: MemberState): Promise<void> {
    await this.#session?.set(`${NODES}/${this.name}`, this.#member(state));
  }

  /** Leaves as an app server does: gives its users up, tells, and ends. */
  async leave(): Promise<void> {
    await this.become('draining');
    await this.#session?.close();
    await this.close();
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#server.closeIdleConnections();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #member(state: MemberState): Uint8Array {
    const session = this.#session?.sessionId ?? '';
    const { name, url } = this;
    return encodeMember({ name, url, state, tokens: 64, session, version: 'stub', pid: process.pid });
  }

  #owner(key: string): RingMember | undefined {
    return new Ring(this.#watcher?.view?.members ?? []).owner(hashKey(key).position);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.intercept(request, response)) return;
    const [, kind = '', name = '', action = ''] =
      (request.url ?? '').split('?')[0]?.split('/').map(decodeURIComponent) ?? [];
    if (kind === 'node') {
      response.end(JSON.stringify({ users: 7 }));
      return;
    }
    const owner = this.#owner(kind === 'users' ? `user:${name}` : `address:${name}`);
    if (owner?.name !== this.name) {
      const ringVersion = this.#watcher?.view?.version ?? 0;
      const named = owner && { name: owner.name, url: owner.url };
      response.writeHead(421, { 'content-type': 'application/problem+json' });
      response.end(
        JSON.stringify({
          type: 'urn:cellpost:error:misdirected',
          owner: named,
          ringVersion,
          retryAfterMs: 20,
        }),
      );
      request.resume();
      return;
    }
    const body = await text(request);
    this.done.push(`${request.method} ${request.url}`);
    const store = kind === 'users' ? this.#store.users : this.#store.addresses;
    const answer = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json', 'x-node': this.name });
      response.end(JSON.stringify(value));
    };
    if (action) answer(200, { node: this.name, bytes: body.length });
    else if (request.method === 'PUT') {
      const before = store.get(name);
      const same = kind === 'users' ? before !== undefined : before === body;
      if (before === undefined) store.set(name, body);
      answer(before === undefined ? 201 : same ? 200 : 409, {});
    } else {
      const found = store.get(name);
      answer(found === undefined ? 404 : 200, found === undefined ? {} : JSON.parse(found));
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stub = new StubServer(process.argv[3] ?? '');
  await stub.start(process.argv[2] ?? '');
  console.log('ready');
}
