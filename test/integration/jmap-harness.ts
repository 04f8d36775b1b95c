// An app server's API over real HTTP, with a store and blobs of its own and no ring: what the jmap tests drive.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApiServer } from '../../workloads/app-server/api/api-server.ts';
import { openLogStore } from '../../workloads/app-server/log/open-log-store.ts';
import type { OwnershipGate } from '../../workloads/app-server/log/user-log-types.ts';
import type { Relations } from '../../workloads/app-server/relations.ts';
import { soleOwner } from '../../workloads/app-server/ring/sole-owner.ts';
import { openBlobStore } from '../../workloads/common/blobs/open-blob-store.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { parseMessage } from '../../workloads/common/mime/parser.ts';
import { WorkloadMetrics } from '../../workloads/common/metrics/workload-metrics.ts';

export const TOKEN = 'a token of the platform for tests';
const PASSWORD = 'open sesame';
const USING = ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail'];

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into any JSON
export type Json = any;
export type Invocation = [name: string, args: Record<string, Json>, id: string];

export function basic(address: string, password = PASSWORD): string {
  return `Basic ${Buffer.from(`${address}:${password}`).toString('base64')}`;
}

export class Harness {
  readonly folder: string;
  readonly #store: string;
  readonly #relations: Relations | undefined;
  url = '';
  #close: () => Promise<void> = () => Promise.resolve();
  #deliveries = 0;

  private constructor(folder: string, store: string, relations: Relations | undefined) {
    this.#relations = relations;
    this.folder = folder;
    this.#store = store;
  }

  /** @param store 'memory', 'sqlite' (in the harness's own folder) or the URL of a log store */
  static async start(store = 'memory', gate?: OwnershipGate, relations?: Relations): Promise<Harness> {
    const folder = await mkdtemp(join(tmpdir(), 'cellpost-jmap-'));
    const harness = new Harness(folder, store, relations);
    await harness.open(gate);
    return harness;
  }

  /** Opens, or opens anew, what the folder holds. */
  async open(gate: OwnershipGate = soleOwner('a-0', `${process.hrtime.bigint()}`)): Promise<void> {
    const urls: Record<string, string> = {
      memory: 'memory:',
      sqlite: `sqlite:${join(this.folder, 'log.db')}`,
    };
    const store = await openLogStore(urls[this.#store] ?? this.#store);
    const blobs = await openBlobStore(`file:${join(this.folder, 'blobs')}`, {});
    const server = await startApiServer({
      store,
      blobs,
      gate,
      cell: 'a',
      platformToken: TOKEN,
      ...(this.#relations && { relations: this.#relations }),
      logger: createLogger('app-server', process.env.CELLPOST_LOG_LEVEL ?? 'silent'),
      metrics: new WorkloadMetrics('app_server'),
      cacheBytes: 64 * 1024 * 1024,
      host: '127.0.0.1',
      port: 0,
      ready: () => true,
      node: () => ({ cell: 'a', node: 'a-0', state: 'serving' }),
    });
    this.url = server.listener.url;
    this.#close = async () => {
      await server.close();
      await store.close();
      await blobs.close();
    };
  }

  /** Closes the server; what a store on disk holds stays. */
  async stop(): Promise<void> {
    await this.#close();
    this.#close = () => Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  fetch(path: string, authorization: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization, 'content-type': 'application/json', ...init.headers };
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  async createUser(userId: string, address: string): Promise<void> {
    const body = JSON.stringify({ addresses: [address], displayName: userId, password: PASSWORD });
    const response = await this.fetch(`/users/${userId}`, bearer(TOKEN), { method: 'PUT', body });
    if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
  }

  /** Makes calls as a service, or as the user who signs in with the address. */
  async call(userId: string, calls: Invocation[], address?: string, using = USING): Promise<Invocation[]> {
    const response = await this.fetch(
      `/users/${userId}/jmap/api`,
      address === undefined ? bearer(TOKEN) : basic(address),
      { method: 'POST', body: JSON.stringify({ using, methodCalls: calls }) },
    );
    const answer = (await response.json()) as Json;
    if (response.status !== 200) throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
    return answer.methodResponses as Invocation[];
  }

  /** Makes one call and returns its response's arguments; an error's, too. */
  async one(userId: string, name: string, args: Record<string, Json>): Promise<Json> {
    const [response] = await this.call(userId, [[name, { accountId: userId, ...args }, '0']]);
    return response?.[1];
  }

  /** Delivers a message as the MTA proxy does. Line breaks of the text become CRLF. */
  async deliver(
    userId: string,
    text: string,
    options: { deliveryKey?: string; receivedAt?: string; blobId?: string } = {},
  ): Promise<Json> {
    const bytes = Buffer.from(text.replaceAll(/\r?\n/g, '\r\n'));
    const body = options.blobId
      ? { blobId: options.blobId, sizeBytes: bytes.length }
      : { base64: bytes.toString('base64') };
    const args = {
      accountId: userId,
      deliveryKey: options.deliveryKey ?? `delivery ${++this.#deliveries}`,
      receivedAt: options.receivedAt ?? new Date().toISOString(),
      envelope: { mailFrom: 'carol@example.org', rcptTo: [`${userId}@cellpost.test`] },
      channel: 'email',
      message: parseMessage(bytes),
      body,
    };
    const using = [...USING, 'urn:cellpost:delivery'];
    const [response] = await this.call(userId, [['Delivery/deliver', args, 'd']], undefined, using);
    return response?.[1];
  }

  async mailboxId(userId: string, role: string): Promise<string> {
    const { list } = await this.one(userId, 'Mailbox/get', {});
    return list.find((mailbox: Json) => mailbox.role === role).id;
  }
}

/** A plain message. */
export function mail(subject: string, body = 'Hello there.', more = ''): string {
  return `From: Carol <carol@example.org>\nTo: Alice <alice@cellpost.test>\nSubject: ${subject}\nDate: Mon, 23 Nov 2026 10:00:00 +0100\nMessage-ID: <${subject.replaceAll(/[^A-Za-z0-9]/g, '')}@example.org>\n${more}\n${body}\n`;
}
