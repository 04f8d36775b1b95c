// Whole app servers of one cell, on a ring: who serves whom, and what a planned leave looks like from outside.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { startCoordinator } from '../../embedded/coordinator.ts';
import { start } from '../../workloads/app-server/main.ts';
import { ConfigError } from '../../workloads/common/config/env.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { until } from '../support/wait.ts';
import { TOKEN, type Json } from './jmap-harness.ts';

const DEADLINE_MS = 30_000;
const HEADERS = { authorization: bearer(TOKEN), 'content-type': 'application/json' };

suite('app servers on a ring', () => {
  let folder: string;
  let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
  const servers = new Map<string, Awaited<ReturnType<typeof start>>>();

  const environment = (node: string): Record<string, string> => ({
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_LOG_LEVEL: 'silent',
    CELLPOST_PLATFORM_TOKEN: TOKEN,
    CELLPOST_CELL: 'a',
    CELLPOST_NODE: node,
    CELLPOST_COORDINATION: coordinator.url('/cells/a'),
    CELLPOST_LOG_STORE: `sqlite:${join(folder, 'a.db')}`,
    CELLPOST_BLOB_STORE: `file:${join(folder, 'blobs')}`,
  });

  async function open(node: string): Promise<string> {
    const server = await start(environment(node));
    servers.set(node, server);
    const ready = async (): Promise<boolean> => (await fetch(`${server.url}/readyz`)).status === 200;
    await until(ready, { timeoutMs: DEADLINE_MS, what: `${node} serves` });
    return server.url;
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cellpost-servers-'));
    coordinator = await startCoordinator({
      socketPath: join(folder, 'socket'),
      dataFile: join(folder, 'zk.db'),
    });
  });
  after(async () => {
    for (const server of servers.values()) await server.close();
    await coordinator.close();
    await rm(folder, { recursive: true, force: true });
  });

  const session = (url: string, userId: string): Promise<Response> =>
    fetch(`${url}/users/${userId}/jmap/session`, { headers: HEADERS });

  test('each user is served by one of two servers, the other names it, and a leave hands them over', async () => {
    const first = await open('a-0');
    const userIds = Array.from({ length: 12 }, (_, n) => `user${n}`);
    for (const userId of userIds) {
      const body = JSON.stringify({
        addresses: [`${userId}@cellpost.test`],
        displayName: userId,
        password: 'demo',
      });
      const made = await fetch(`${first}/users/${userId}`, { method: 'PUT', headers: HEADERS, body });
      assert.equal(made.status, 201);
    }
    const second = await open('a-1');
    await until(
      async () => {
        const statuses = await Promise.all(
          userIds.map(async (userId) => (await session(second, userId)).status),
        );
        return statuses.includes(200);
      },
      { timeoutMs: DEADLINE_MS, what: 'the newcomer serves some users' },
    );
    let atSecond = 0;
    for (const userId of userIds) {
      const [a, b] = [await session(first, userId), await session(second, userId)];
      assert.deepEqual([a.status, b.status].toSorted(), [200, 421], userId);
      const [refusal, owner] = a.status === 421 ? [a, second] : [b, first];
      assert.equal(((await refusal.json()) as Json).owner.url, owner);
      if (owner === second) atSecond++;
    }
    assert.ok(atSecond > 0 && atSecond < userIds.length);
    const node = (await (await fetch(`${second}/node`, { headers: HEADERS })).json()) as Json;
    assert.deepEqual(
      [node.cell, node.node, node.state, node.url, node.pid],
      ['a', 'a-1', 'serving', second, process.pid],
    );
    const closing = servers.get('a-1');
    servers.delete('a-1');
    await closing?.close();
    await closing?.close();
    for (const userId of userIds)
      await until(async () => (await session(first, userId)).status === 200, {
        timeoutMs: DEADLINE_MS,
        what: `${userId} is served by the server that stayed`,
      });
  });

  test('bad configuration is refused with one sentence that names the variable', async () => {
    for (const [name, value] of [
      ['CELLPOST_NODE', ''],
      ['CELLPOST_TOKENS', '0'],
      ['CELLPOST_COORDINATION', 'http://x'],
      ['CELLPOST_LOG_STORE', 'paper:'],
      ['CELLPOST_BLOB_STORE', 'paper:'],
      ['CELLPOST_PLATFORM_TOKEN', 'short'],
    ] as const) {
      const error: unknown = await start({ ...environment('a-9'), [name]: value }).catch(
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof ConfigError, name);
      assert.ok(error.message.includes(name), error.message);
      assert.ok(!error.message.includes('short'));
    }
  });

  test('a port that is taken is told as such, and nothing stays open', async () => {
    const url = await open('a-2');
    const env = { ...environment('a-3'), CELLPOST_HTTP_PORT: new URL(url).port };
    await assert.rejects(start(env), { code: 'EADDRINUSE' });
  });
});
