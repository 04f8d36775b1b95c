// Words in the blob store: several replicas that follow, store and start again, and a format from before.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import type { BlobStore } from '../common/blobs/blob-store.ts';
import { openBlobStore } from '../common/blobs/open-blob-store.ts';
import { createLogger } from '../common/log.ts';
import { readBaseReferences, saveBase } from './base-snapshot.ts';
import { FriendGraph, type Words } from './graph.ts';
import { GraphStore } from './graph-store.ts';
import { expectSame, NaiveGraph } from './naive-graph.ts';
import { BadSnapshot } from './snapshot-parts.ts';
import { loadWords, readWordReferences, WordsSaver } from './words-snapshot.ts';

const DOCUMENT = 'user-index-words.json';
const MINUTE_MS = 60_000;
const users = Array.from({ length: 12 }, (_, n) => `user-${n}`);

async function openBlobs(t: TestContext): Promise<BlobStore> {
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-words-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return openBlobStore(`file:${folder}`, {});
}

/** What all logs say, each with the time of its last word. */
class Logs {
  readonly naive = new NaiveGraph(users);
  readonly #saidAt = new Map<string, number>();
  nowMs = 1;

  say(a: string, b: string, isFriend: boolean): void {
    this.naive.words.set(a, (this.naive.words.get(a) ?? new Map<string, boolean>()).set(b, isFriend));
    this.#saidAt.set(a, this.nowMs++);
  }

  /** A log may be gone, with all that it said. */
  forget(a: string): void {
    this.naive.words.delete(a);
    this.#saidAt.set(a, this.nowMs++);
  }

  words(userId: string): Words {
    const said = [...(this.naive.words.get(userId) ?? [])];
    const of = (wanted: boolean): string[] => said.filter(([, is]) => is === wanted).map(([id]) => id);
    return { friends: of(true), former: of(false) };
  }

  changedSince(ms: number): string[] {
    return users.filter((user) => (this.#saidAt.get(user) ?? 0) >= ms);
  }
}

/** An index that hears of everything when it listens, and forgets all when it is killed. */
class Replica {
  readonly #blobs: BlobStore;
  readonly #logs: Logs;
  #store: GraphStore;
  #heardMs = 0;

  constructor(blobs: BlobStore, logs: Logs) {
    this.#blobs = blobs;
    this.#logs = logs;
    this.#store = this.#make();
  }

  get graph(): FriendGraph {
    return this.#store.graph;
  }

  async start(): Promise<void> {
    this.#heardMs = (await this.#store.open()).get('a') ?? 0;
    this.#store.keep({ watermarks: () => new Map([['a', this.#heardMs]]), isComplete: () => true });
  }

  listen(): void {
    const { nowMs } = this.#logs;
    for (const user of this.#logs.changedSince(this.#heardMs)) this.#store.say(user, this.#logs.words(user));
    this.#heardMs = nowMs;
  }

  save = (): Promise<void> => this.#store.save();
  look = (): Promise<void> => this.#store.look();

  async restart(isKilled: boolean): Promise<void> {
    await (isKilled ? this.#store.stop() : this.#store.close());
    this.#store = this.#make();
    await this.start();
  }

  #make(): GraphStore {
    const logger = createLogger('test', 'silent');
    // Two milliseconds of the logs' time: who is no further behind is left alone.
    return new GraphStore({ blobs: this.#blobs, logger, snapshotMs: 1 });
  }

  stop = (): Promise<void> => this.#store.stop();
}

const user = fc.nat(users.length - 1);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('say'), a: user, b: user, isFriend: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget'), a: user }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('listen'), replica: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('save'), replica: fc.nat(1) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('restart'), replica: fc.nat(1), isKilled: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('bulk'),
      pairs: fc.array(fc.tuple(user, user), { maxLength: 9 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep') }) },
);

test('replicas say what the logs do, whatever was said, loaded, stored, swept and started again meanwhile', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      const blobs = await openBlobs(t);
      const logs = new Logs();
      const replicas = [new Replica(blobs, logs), new Replica(blobs, logs)] as const;
      for (const replica of replicas) await replica.start();
      for (const now of steps) await take(now, blobs, logs, replicas);
      for (const replica of replicas) {
        await replica.look();
        replica.listen();
        expectSame(replica.graph, logs.naive);
        await replica.restart(false);
        replica.listen();
        expectSame(replica.graph, logs.naive);
        await replica.stop();
      }
    }),
    { numRuns: 40 },
  );
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function take(
  now: Step,
  blobs: BlobStore,
  logs: Logs,
  replicas: readonly [Replica, Replica],
): Promise<void> {
  const replica = 'replica' in now ? (replicas[now.replica] as Replica) : replicas[0];
  if ('isFriend' in now) {
    if (now.a !== now.b) logs.say(users[now.a] as string, users[now.b] as string, now.isFriend);
  } else if ('a' in now) logs.forget(users[now.a] as string);
  else if ('isKilled' in now) await replica.restart(now.isKilled);
  else if ('pairs' in now) {
    const pairs = now.pairs
      .filter(([a, b]) => a !== b)
      .map(([a, b]) => [users[a], users[b]] as [string, string]);
    logs.naive.edges.clear();
    for (const [a, b] of pairs) logs.naive.edges.add(`${a} ${b}`);
    await saveBase(blobs, edgesOf(pairs));
    // It hears more while it takes the edge list up.
    const looking = replica.look();
    replica.listen();
    await looking;
  } else if (now.kind === 'save') {
    const saving = replica.save();
    replica.listen();
    await saving;
  } else if (now.kind === 'listen') replica.listen();
  else await sweep(blobs);
}

function edgesOf(pairs: readonly [string, string][]): FriendGraph {
  const said = new FriendGraph();
  for (const user of users) {
    const friends = pairs.filter((pair) => pair.includes(user)).map(([a, b]) => (a === user ? b : a));
    said.say(user, { friends, former: [] });
  }
  const offsets = new Uint32Array(said.ids.size + 1);
  const targets: number[] = [];
  for (let user = 0; user < said.ids.size; user++) {
    targets.push(...(said.words.get(user)?.added ?? []));
    offsets[user + 1] = targets.length;
  }
  return new FriendGraph(said.ids, { offsets, targets: Uint32Array.from(targets) });
}

/** Takes all that no document names, at once. */
async function sweep(store: BlobStore): Promise<void> {
  const kept = new Set([...(await readBaseReferences(store)), ...(await readWordReferences(store))]);
  for await (const { id } of store.list()) {
    if (kept.has(id)) continue;
    await store.retire(id);
    await store.purge(id, Number.MAX_SAFE_INTEGER);
  }
}

test('only what is new is stored, until that is a good part of all', async (t) => {
  const blobs = await openBlobs(t);
  const saver = new WordsSaver(blobs);
  const graph = new FriendGraph();
  const friends = Array.from({ length: 50 }, (_, n) => `friend-${n}`);
  for (let n = 0; n < 200; n++) graph.say(`user-${n}`, { friends, former: [] });
  await saver.save(graph, new Map(), 0);
  const sizeOf = async (): Promise<number> => {
    let bytes = 0;
    for (const id of await readWordReferences(blobs)) bytes += (await blobs.size(id)) ?? 0;
    return bytes;
  };
  const whole = await sizeOf();
  for (let round = 0; round < 80; round++) {
    const said = graph.say(`user-${round}`, { friends: friends.slice(1), former: [`new-${round}`] });
    saver.note(said ?? -1);
    await saver.save(graph, new Map([['a', round]]), 0);
    assert.ok((await sizeOf()) < whole * 1.4);
  }
  assert.ok((await readWordReferences(blobs)).length > 2, 'what is new lies in blobs of its own');
  const loaded = await loadWords(blobs, new FriendGraph());
  assert.equal(loaded?.watermarks.get('a'), 79);
  for (const id of ['user-0', 'user-79', 'user-80', 'user-199'])
    assert.deepEqual(namesSaidBy(loaded.graph, id), namesSaidBy(graph, id));
});

function namesSaidBy({ ids, words }: FriendGraph, userId: string): string[] {
  const { added, removed } = words.get(ids.find(userId)) ?? { added: [], removed: [] };
  return [...added, ...removed].map((number) => ids.id(number)).sort();
}

test("what another replica keeps up to date is left alone, and replaced when it isn't", async (t) => {
  const blobs = await openBlobs(t);
  const graph = new FriendGraph();
  graph.say('a', { friends: ['b'], former: [] });
  const [first, second] = [new WordsSaver(blobs), new WordsSaver(blobs)];
  const at = (ms: number): Map<string, number> => new Map([['a', ms]]);
  assert.equal(await first.save(graph, at(0), MINUTE_MS), true);
  assert.equal(await second.save(graph, at(MINUTE_MS), MINUTE_MS), false);
  assert.equal(await first.save(graph, at(MINUTE_MS), MINUTE_MS), true);
  assert.equal(await second.save(graph, at(3 * MINUTE_MS), MINUTE_MS), true);
  assert.equal(await first.save(graph, at(3 * MINUTE_MS), MINUTE_MS), false);
  await blobs.documents.put(DOCUMENT, Buffer.from('{'));
  assert.equal(await first.save(graph, at(3 * MINUTE_MS), MINUTE_MS), true);
});

test('words of the format before are read', async (t) => {
  const blobs = await openBlobs(t);
  const lines = [
    ['a', ['b', 'c'], []],
    ['b', ['a'], ['c']],
  ].map((line) => `${JSON.stringify(line)}\n`);
  // Blobs of that format were cut anywhere.
  const text = Buffer.from(lines.join(''));
  const ids = [await blobs.put(text.subarray(0, 9)), await blobs.put(text.subarray(9))].map(({ id }) => id);
  await blobs.documents.put(
    DOCUMENT,
    Buffer.from(JSON.stringify({ format: 1, watermarks: { x: 7 }, blobs: ids })),
  );
  const loaded = await loadWords(blobs, new FriendGraph());
  assert.deepEqual(loaded?.watermarks, new Map([['x', 7]]));
  assert.deepEqual([loaded.graph.degree('a', 'b'), loaded.graph.degree('a', 'c')], [1, 'far']);
  assert.deepEqual(await readWordReferences(blobs), ids);
});

test('a record that is cut off, or names a user without an id, makes a bad snapshot', async (t) => {
  const blobs = await openBlobs(t);
  const ids = await blobs.put(Buffer.from('a\nb\n'));
  for (const record of [[0, 2, 0, 1], [0, 1, 0, 2], [5, 1, 0, 1], [0]]) {
    const words = await blobs.put(new Uint8Array(Uint32Array.from(record).buffer));
    const document = { format: 2, watermarks: {}, users: 2, idBlobs: [ids.id], blobs: [words.id] };
    await blobs.documents.put(DOCUMENT, Buffer.from(JSON.stringify(document)));
    await assert.rejects(loadWords(blobs, new FriendGraph()), BadSnapshot);
  }
});
