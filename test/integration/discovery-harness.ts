// Discovery and the cells' client over the embedded coordinator, with stubs for app servers: anew for each test of a file
// that imports this.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startCoordinator, type Coordinator } from '../../embedded/coordinator.ts';
import { type Cells, openCells } from '../../workloads/common/cell-client/cells.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { start } from '../../workloads/discovery/main.ts';
import { until } from '../support/wait.ts';
import { StubServer, type StubStore } from './discovery-stub.ts';

export const TOKEN = 'a token for nothing but tests';
export const WAIT = { timeoutMs: 20_000, intervalMs: 10 };
const logger = createLogger('test', 'silent');
const STUB = fileURLToPath(new URL('discovery-stub.ts', import.meta.url));

type Discovery = Awaited<ReturnType<typeof start>>;
export let folder: string;
export let coordinator: Coordinator;
export let discovery: Discovery;
export let cells: Cells;
/** What ends what a test has started, called in reverse order after it. */
export let closers: (() => Promise<unknown>)[];

export async function startCoordination(): Promise<void> {
  coordinator = await startCoordinator({
    socketPath: join(folder, 'c.sock'),
    dataFile: join(folder, 'c.db'),
  });
}

/** Another replica on the same map, beside the one that `discovery` is. */
export async function startDiscovery(more: Record<string, string> = {}): Promise<Discovery> {
  const started = await start({
    CELLPOST_COORDINATION: `local:${join(folder, 'c.sock')}?chroot=/discovery`,
    CELLPOST_SESSION_TIMEOUT_MS: '1000',
    CELLPOST_PLATFORM_TOKEN: TOKEN,
    CELLPOST_LOG_LEVEL: 'silent',
    CELLPOST_HTTP_PORT: '0',
    ...more,
  });
  closers.push(() => started.close());
  return started;
}

export async function replaceDiscovery(more: Record<string, string> = {}): Promise<void> {
  discovery = await startDiscovery(more);
}

export async function replaceClient(): Promise<void> {
  cells = await openClient();
}

export async function startStub(cell: string, name: string, store?: StubStore): Promise<StubServer> {
  const stub = new StubServer(name, store);
  await stub.start(coordinator.url(`/cells/${cell}`));
  closers.push(() => stub.close());
  return stub;
}

export async function putCell(
  name: string,
  state: 'Enabled' | 'Draining' | 'Disabled' = 'Enabled',
): Promise<void> {
  await cells.putCell(name, { state, dataCenter: 'here', coordination: coordinator.url(`/cells/${name}`) });
}

export function openClient(discoveryUrl = discovery.url): Promise<Cells> {
  return openCells({ discoveryUrl, token: TOKEN, logger });
}

/** An app server in a process of its own, to be killed. */
export async function startStubProcess(cell: string, name: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [STUB, coordinator.url(`/cells/${cell}`), name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

type Answer = { status: number; body: Record<string, unknown>; retryAfter: string | null };
export async function ask(method: string, path: string, body?: unknown, token = TOKEN): Promise<Answer> {
  const response = await fetch(discovery.url + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const received = await response.text();
  const parsed = received ? (JSON.parse(received) as Record<string, unknown>) : {};
  return { status: response.status, body: parsed, retryAfter: response.headers.get('retry-after') };
}

export const assign = (key: string): Promise<Answer> => ask('POST', '/v1/assign', { key });
export const where = (key: string): Promise<Answer> => ask('GET', `/v1/where?key=${encodeURIComponent(key)}`);
export const post = (userId: string, idempotent = false, deadlineMs = 15_000): ReturnType<Cells['request']> =>
  cells.request(`user:${userId}`, {
    method: 'POST',
    path: `/users/${userId}/do`,
    body: 'x',
    idempotent,
    deadlineMs,
  });
export const nodeOf = async (response: { json(): Promise<unknown> }): Promise<string> =>
  ((await response.json()) as { node: string }).node;
export const served = (key: string, node?: string): Promise<unknown> =>
  until(
    () =>
      cells.where(key).then(
        (found) => !node || found.node === node,
        () => false,
      ),
    {
      ...WAIT,
      what: `${key} to be served by ${node ?? 'anybody'}`,
    },
  );

beforeEach(async () => {
  closers = [];
  folder = await mkdtemp(join(tmpdir(), 'discovery-'));
  await startCoordination();
  await replaceDiscovery();
  await until(async () => (await fetch(`${discovery.url}/readyz`)).ok, { ...WAIT, what: 'the first map' });
  await replaceClient();
});

afterEach(async () => {
  await cells.close();
  for (const close of closers.reverse()) await close();
  await coordinator.close();
  await rm(folder, { recursive: true, force: true });
});
