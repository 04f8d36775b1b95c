// The user index with real processes: it follows real app servers, through kill -9 of either, and can be made anew.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Child } from '../../embedded/child.ts';
import type { PlatformNote } from '../../embedded/home.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { openCells } from '../../workloads/common/cell-client/cells.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

const USERS = 8;
const PASSWORD = 'secret word';
const WAIT = { timeoutMs: 40_000 };

type Node = { node: string; pid: number; state: string };

let platform: PlatformUnderTest;
let folder: string;
let note: PlatformNote;
let token: string;
let users: string[];
const replicas: Child[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cellpost-index-'));
  platform = await startPlatform();
  note = JSON.parse(await readFile(join(platform.home, 'platform.json'), 'utf8')) as PlatformNote;
  token = (await readFile(join(platform.home, 'token'), 'utf8')).trim();
  const cells = await openCells({
    discoveryUrl: note.discoveryUrl,
    token,
    logger: createLogger('test', 'silent'),
  });
  users = await Promise.all(
    Array.from({ length: USERS }, (_, n) =>
      cells.createUser({ addresses: [`f${n}@cellpost.test`], displayName: '', password: PASSWORD }),
    ),
  );
  await cells.close();
  await isReady(note.userIndexUrl);
});

after(async () => {
  for (const replica of replicas) replica.kill();
  await platform[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function ask(url: string, path: string, method = 'GET'): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/v1${path}`, { method, headers: { authorization: bearer(token) } });
  return { status: response.status, body: await response.json() };
}

/** @param blobs where it has its snapshots */
async function startReplica(name: string, blobs: string): Promise<{ url: string; child: Child }> {
  const logFile = join(folder, `${name}.log`);
  const child = new Child({ name, workload: 'user-index', logFile, onDeath: () => undefined });
  replicas.push(child);
  const { url } = await child.start({
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_PLATFORM_TOKEN: token,
    CELLPOST_DISCOVERY_URL: note.discoveryUrl,
    CELLPOST_BLOB_STORE: blobs,
    CELLPOST_SNAPSHOT_SECONDS: '1',
  });
  await isReady(url);
  return { url, child };
}

/** It follows every app server, and has read what it missed. */
const isReady = (url: string): Promise<unknown> =>
  until(async () => (await fetch(`${url}/readyz`)).status === 200, {
    ...WAIT,
    what: `the index at ${url} to be ready`,
  });

/** Everything that an index says of the users of this test. */
async function all(url: string): Promise<string> {
  const said = users.map(async (user) => {
    const { body } = await ask(url, `/users/${user}/friends`);
    return (body as { userIds: string[] }).userIds.sort().join(' ');
  });
  return (await Promise.all(said)).join('\n');
}

const sameAsPlatforms = (url: string): Promise<unknown> =>
  until(async () => (await all(url)) === (await all(note.userIndexUrl)), {
    ...WAIT,
    what: 'the same friends',
  });

const friendship = (method: 'PUT' | 'DELETE', a: number, b: number): ReturnType<typeof ask> =>
  ask(note.userIndexUrl, `/friendships/${users[a]}/${users[b]}`, method);
const degree = async (url: string, a: number, b: number): Promise<unknown> =>
  (await ask(url, `/degree?a=${users[a]}&b=${users[b]}`)).body;

test('friends that the platform makes are known at once, and friends of theirs', async () => {
  assert.deepEqual((await friendship('PUT', 0, 1)).body, { degree: 1 });
  assert.deepEqual((await friendship('PUT', 1, 0)).body, { degree: 1 });
  assert.deepEqual((await friendship('PUT', 1, 2)).body, { degree: 1 });
  assert.deepEqual((await friendship('PUT', 2, 3)).body, { degree: 1 });
  assert.deepEqual(await degree(note.userIndexUrl, 0, 2), { degree: 2 });
  assert.deepEqual(await degree(note.userIndexUrl, 0, 3), { degree: 'far' });
  const { body } = await ask(note.userIndexUrl, `/mutual?a=${users[0]}&b=${users[2]}`);
  assert.deepEqual(body, { count: 1, userIds: [users[1]] });
  const fof = await ask(note.userIndexUrl, `/users/${users[0]}/friends-of-friends`);
  assert.deepEqual(fof.body, { count: 1, userIds: [users[2]] });
});

test('what makes no sense is refused with a reason, and so is who has no token', async () => {
  const url = note.userIndexUrl;
  assert.equal((await ask(url, '/friendships/nobody-here/no-one', 'PUT')).status, 404);
  assert.equal((await ask(url, `/friendships/${users[0]}/${users[0]}`, 'PUT')).status, 400);
  assert.equal((await ask(url, '/degree?a=!&b=x')).status, 400);
  assert.equal((await fetch(`${url}/v1/degree?a=x&b=y`)).status, 401);
  assert.match(await (await fetch(`${url}/metrics`)).text(), /cellpost_user_index_users \d/);
});

test('a user who ends a friendship is followed, and both are strangers then', async () => {
  const client = await openJmap(platform.webUrl, 'f3@cellpost.test', PASSWORD);
  const [answer] = await client.call([
    'Friend/set',
    { accountId: client.accountId, destroy: [users[2]] },
    '0',
  ]);
  assert.equal(answer?.[0], 'Friend/set');
  await until(async () => JSON.stringify(await degree(note.userIndexUrl, 2, 3)) === '{"degree":"far"}', WAIT);
});

test('replicas agree after kill -9 of an index and of an app server while friends are made, and one made from nothing does', async () => {
  const own = `file:${join(folder, 'blobs')}`;
  const first = await startReplica('first', own);
  await sameAsPlatforms(first.url);
  const words = join(folder, 'blobs');
  await until(
    async () =>
      await readFile(join(words, 'documents', 'user-index-words.json')).then(
        () => true,
        () => false,
      ),
    { ...WAIT, what: 'a snapshot' },
  );
  first.child.kill();
  const nodes = await platform.cellctl<Node[]>('nodes');
  const victim = nodes.find(({ node }) => node === 'a-0');
  assert.ok(victim);
  const making = (async () => {
    for (let a = 0; a < USERS; a++)
      for (let b = a + 1; b < USERS; b += 2)
        await until(async () => (await friendship('PUT', a, b)).status === 200, WAIT);
  })();
  process.kill(victim.pid, 'SIGKILL');
  await making;
  const second = await startReplica('second', own);
  await sameAsPlatforms(second.url);
  const anew = await startReplica('anew', `file:${join(folder, 'nothing')}`);
  await sameAsPlatforms(anew.url);
  for (let a = 0; a < USERS; a++)
    for (let b = a + 1; b < USERS; b += 2) assert.deepEqual(await degree(anew.url, a, b), { degree: 1 });
});

test('an edge list is loaded by cellctl and taken up; what the logs say overrules it', async () => {
  const file = join(folder, 'edges.gz');
  await writeFile(
    file,
    gzipSync(`# from elsewhere\nx1 x2\nx2,x3\n${users[2]}\t${users[3]}\n${users[0]} x1\n`),
  );
  const loaded = await platform.cellctl<object>('user-index', 'load', file);
  assert.deepEqual(loaded, { users: 6, edges: 4 });
  const url = note.userIndexUrl;
  await until(async () => JSON.stringify((await ask(url, '/degree?a=x1&b=x3')).body) === '{"degree":2}', {
    ...WAIT,
    what: 'the edge list',
  });
  assert.deepEqual((await ask(url, `/degree?a=${users[1]}&b=x1`)).body, { degree: 2 });
  await friendship('DELETE', 2, 3);
  assert.notDeepEqual(await degree(url, 2, 3), { degree: 1 });
  await writeFile(file, 'x1 x2\nx1\n');
  await assert.rejects(platform.cellctl('user-index', 'load', file), /Line 2 has no two user ids/);
  assert.deepEqual((await ask(url, '/degree?a=x1&b=x3')).body, { degree: 2 });
});
