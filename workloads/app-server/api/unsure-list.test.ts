import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { until } from '../../../test/support/wait.ts';
import type { Documents } from '../../common/blobs/blob-store.ts';
import { openBlobStore } from '../../common/blobs/open-blob-store.ts';
import { createLogger } from '../../common/log.ts';
import { UnsureList, type Visited } from './unsure-list.ts';

const WAIT = { timeoutMs: 20_000, intervalMs: 10 };
const TICK_MS = 20;

async function openDocuments(t: TestContext): Promise<Documents> {
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-unsure-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return (await openBlobStore(`file:${folder}`, {})).documents;
}

/** An app server that has some users, and finds mail that waits in the logs of some. */
class Server {
  readonly held = new Set<string>();
  readonly visited: string[] = [];
  ringVersion = 1;
  owns: (key: string) => boolean;
  readonly #list: UnsureList;

  constructor(documents: Documents, node: string, owns: (key: string) => boolean, cell = 'a') {
    this.owns = owns;
    this.#list = new UnsureList({
      documents,
      cell,
      node,
      ringVersion: () => this.ringVersion,
      logger: createLogger('test', 'silent'),
      tickMs: TICK_MS,
    });
    this.#list.start(
      () => this.held,
      async (key): Promise<Visited> => {
        if (!this.owns(key)) return 'elsewhere';
        this.visited.push(key);
        this.hold(key);
        return 'done';
      },
    );
  }

  hold(key: string): void {
    this.held.add(key);
    this.#list.note();
  }

  drop(key: string): void {
    this.held.delete(key);
    this.#list.note();
  }

  /** A server that dies closes nothing else. */
  end = (): Promise<void> => this.#list.close();
}

async function namedIn(documents: Documents): Promise<string[]> {
  const texts = await Promise.all((await documents.list()).map((name) => documents.get(name)));
  return texts
    .flatMap((bytes) => (JSON.parse(Buffer.from(bytes ?? '').toString()) as { keys: string[] }).keys)
    .sort();
}

const isNamed = (documents: Documents, ...keys: string[]): Promise<unknown> =>
  until(async () => (await namedIn(documents)).join() === keys.join(), {
    ...WAIT,
    what: `${keys.join()} in the lists`,
  });

test('a server that starts again visits whom it held, and names whom it holds then', async (t) => {
  const documents = await openDocuments(t);
  const before = new Server(documents, 'a-0', () => true);
  for (const key of ['user:x', 'user:y', 'user:z']) before.hold(key);
  before.drop('user:y');
  await isNamed(documents, 'user:x', 'user:z');
  await before.end();
  const after = new Server(documents, 'a-0', () => true);
  t.after(after.end);
  await until(() => after.visited.length === 2, WAIT);
  assert.deepEqual(after.visited.toSorted(), ['user:x', 'user:z']);
  after.drop('user:x');
  await isNamed(documents, 'user:z');
  after.drop('user:z');
  await isNamed(documents);
});

test('whom a server held that is no more is visited by who has them now, once', async (t) => {
  const documents = await openDocuments(t);
  const gone = new Server(documents, 'a-0', () => true);
  for (const key of ['user:1', 'user:2', 'user:3']) gone.hold(key);
  await isNamed(documents, 'user:1', 'user:2', 'user:3');
  const others = [1, 2].map((number) => new Server(documents, `a-${number}`, () => false));
  const elsewhere = new Server(documents, 'a-0', () => true, 'b');
  for (const server of [...others, elsewhere]) t.after(server.end);
  await gone.end();
  const [one, two] = others;
  assert.ok(one && two);
  one.owns = (key) => key !== 'user:2';
  two.owns = (key) => key === 'user:2';
  for (const server of others) server.ringVersion++;
  await until(() => one.visited.length === 2 && two.visited.length === 1, WAIT);
  for (const server of others) server.ringVersion++;
  // A later ring may give them to others; the same one does not, however often it is looked at.
  await until(() => one.visited.length === 4 && two.visited.length === 2, WAIT);
  await new Promise((resolve) => setTimeout(resolve, 10 * TICK_MS));
  assert.deepEqual([one.visited.length, two.visited.length, elsewhere.visited.length], [4, 2, 0]);
});

test('a server that can not look at what it left does not write over it', async (t) => {
  const documents = await openDocuments(t);
  const before = new Server(documents, 'a-0', () => true);
  before.hold('user:x');
  await isNamed(documents, 'user:x');
  await before.end();
  let isAway = true;
  const away: Documents = {
    list: () => (isAway ? Promise.reject(new Error('away')) : documents.list()),
    get: (name) => documents.get(name),
    put: (name, bytes) => documents.put(name, bytes),
  };
  const after = new Server(away, 'a-0', () => true);
  t.after(after.end);
  after.hold('user:new');
  await new Promise((resolve) => setTimeout(resolve, 10 * TICK_MS));
  assert.deepEqual(await namedIn(documents), ['user:x']);
  isAway = false;
  after.ringVersion++;
  await isNamed(documents, 'user:new', 'user:x');
});
