import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntryTooLarge, MAX_BODY_BYTES, StoreUnavailable } from './log-store.ts';
import { MemoryStore } from './memory-store.ts';
import { LeaseLost, Misdirected, Overloaded } from './user-log-errors.ts';
import { add, codec, entriesOf, latch, open, shuttable, turn, wordsOf } from './testing.ts';

test('writes that come while an entry is under way share the next one, in their order', async () => {
  const { logs, store, disk } = open();
  const places = await Promise.all(['one', 'two', 'three'].map((word) => add(logs, word)));
  const held = latch();
  store.beforeAppend = () => held.opened;
  const four = add(logs, 'four');
  await turn();
  const others = [add(logs, 'five'), add(logs, 'six')];
  await turn();
  held.open();
  const [first, second, third] = await Promise.all([four, ...others]);
  assert.deepEqual(
    places.map((at) => [at.seq, at.index]),
    [
      [1, 0],
      [1, 1],
      [1, 2],
    ],
  );
  assert.deepEqual([first?.seq, second?.seq, third?.seq], [2, 3, 3]);
  assert.deepEqual(
    entriesOf(disk).map((entry) => entry.actions),
    [['one', 'two', 'three'], ['four'], ['five', 'six']],
  );
});

test('each transaction sees the ones before it in the same entry', async () => {
  const { logs } = open();
  await add(logs, 'zero');
  const count = () => logs.write('k', (tx) => (tx.add('x'), tx.state.words.length));
  assert.deepEqual(await Promise.all([count(), count(), count()]), [2, 3, 4]);
});

test('a function that adds nothing appends nothing', async () => {
  const { logs, disk } = open();
  assert.equal(await logs.write('k', (tx) => tx.seq), 1);
  assert.equal(disk.entries.size, 0);
});

test('readers see the last durable entry, and wait for no writer', async () => {
  const { logs, store } = open();
  await add(logs, 'one');
  const disk = latch();
  store.beforeAppend = () => disk.opened;
  const order: string[] = [];
  await turn();
  const write = add(logs, 'two').then(() => order.push('written'));
  const read = wordsOf(logs).then((words) => order.push(`read ${words.join(' ')}`));
  await turn();
  assert.deepEqual(order, ['read one']);
  disk.open();
  await Promise.all([write, read]);
  assert.deepEqual(await wordsOf(logs), ['one', 'two']);
});

test('a refusal that an earlier write of the same entry caused is told when that is durable', async () => {
  const { logs, store } = open();
  await add(logs, 'zero');
  const refuse = () =>
    logs.write('k', (tx) => {
      if (tx.state.words.includes('one')) throw new RangeError('there already');
    });
  const first = latch();
  store.beforeAppend = async () => {
    await first.opened;
    store.beforeAppend = () => Promise.reject(new StoreUnavailable('away'));
  };
  await turn();
  const underWay = add(logs, 'x');
  await turn();
  const all = Promise.allSettled([underWay, add(logs, 'one'), refuse()]);
  await turn();
  first.open();
  const results = await all;
  assert.deepEqual(
    results.map((result) => (result.status === 'rejected' ? result.reason.name : 'fulfilled')),
    ['fulfilled', 'StoreUnavailable', 'StoreUnavailable'],
  );
});

test('a transaction that throws before it adds leaves the others alone', async () => {
  const { logs, disk } = open();
  const bad = logs.write('k', () => {
    throw new RangeError('no');
  });
  const results = await Promise.allSettled([add(logs, 'one'), bad, add(logs, 'two')]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  await assert.rejects(bad, RangeError);
  assert.deepEqual(
    entriesOf(disk).map((entry) => entry.actions),
    [['one', 'two']],
  );
});

test('a transaction that throws after it added is taken out', async () => {
  const { logs, disk } = open();
  const one = add(logs, 'one');
  const bad = logs.write('k', (tx) => {
    tx.addBody(new Uint8Array(1));
    tx.add('bad');
    throw new RangeError('too late');
  });
  const results = await Promise.allSettled([one, bad, add(logs, 'two')]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  await assert.rejects(bad, RangeError);
  assert.deepEqual(await wordsOf(logs), ['one', 'two']);
  assert.deepEqual(
    entriesOf(disk).map((entry) => entry.actions),
    [['one', 'two']],
  );
  assert.equal(disk.entries.get('k')?.[0]?.bodies.length, 0);
});

test('an asynchronous transaction function is refused', async () => {
  const { logs, disk } = open();
  await assert.rejects(
    logs.write('k', async (tx) => tx.add('x')),
    TypeError,
  );
  assert.equal(disk.entries.size, 0);
});

test('what is too large is refused, and the log goes on', async () => {
  const { logs, disk } = open();
  await assert.rejects(add(logs, 'x'.repeat(900_000)), EntryTooLarge);
  await assert.rejects(
    logs.write('k', (tx) => tx.addBody(new Uint8Array(MAX_BODY_BYTES + 1))),
    EntryTooLarge,
  );
  await Promise.all(Array.from({ length: 5 }, () => add(logs, 'y'.repeat(400_000))));
  assert.deepEqual(
    entriesOf(disk).map((entry) => entry.actions.length),
    [2, 2, 1],
  );
  assert.equal((await wordsOf(logs)).length, 5);
});

test('bodies are stored beside the entry under the index that the transaction got', async () => {
  const { logs, store } = open();
  const put = (byte: number) =>
    logs.write('k', (tx) => {
      const index = tx.addBody(Uint8Array.of(byte));
      return { at: tx.add(`body ${index}`), index };
    });
  const [, second] = await Promise.all([put(7), put(8)]);
  assert.deepEqual(await store.readBody('k', second.at.seq, second.index), Uint8Array.of(8));
});

test('time in a log does not go back', async () => {
  const { logs, disk, clock } = open();
  clock.wallMs = 2_000;
  await add(logs, 'one');
  clock.wallMs = 1_000;
  await add(logs, 'two');
  assert.deepEqual(
    entriesOf(disk).map((entry) => entry.timeMs),
    [2_000, 2_000],
  );
});

test('an image is opened once for all who wait, and a failure is theirs alone', async () => {
  const { logs, store, disk } = open();
  await add(logs, 'one');
  const next = open({ disk });
  next.store.beforeRead = () => Promise.reject(new StoreUnavailable('away'));
  const results = await Promise.allSettled([wordsOf(next.logs), wordsOf(next.logs)]);
  assert.ok(results.every((result) => result.status === 'rejected'));
  assert.equal(next.store.reads, 1);
  next.store.beforeRead = () => {};
  await Promise.all([wordsOf(next.logs), wordsOf(next.logs)]);
  // A page that is not full is the last.
  assert.equal(next.store.reads, 2);
  assert.equal(store.reads, 1);
});

test('images are evicted by size, those in use are not', async () => {
  const { logs } = open({ cacheBytes: 10_000 });
  for (let i = 0; i < 50; i++) await add(logs, 'x'.repeat(1_000), `key ${i}`);
  await turn();
  assert.equal(logs.stats().open, 4);
  assert.ok(logs.stats().idleBytes <= 10_000);
  assert.equal((await wordsOf(logs, 'key 0')).length, 1);
  await add(logs, 'y'.repeat(20_000), 'large');
  await turn();
  assert.equal(logs.stats().open, 4);
  const held = latch();
  const readers = Array.from({ length: 9 }, (_, i) => logs.read(`key ${i}`, () => held.opened));
  await turn();
  assert.ok(logs.stats().open >= 9);
  held.open();
  await Promise.all(readers);
  await turn();
  assert.equal(logs.stats().open, 4);
});

test('a slow reader keeps what it has, and writers do not wait for it', async () => {
  const { logs } = open();
  await add(logs, 'one');
  const held = latch();
  const reader = logs.read('k', async (state) => {
    await held.opened;
    return [...state.words];
  });
  await add(logs, 'two');
  assert.deepEqual(await wordsOf(logs), ['one', 'two']);
  held.open();
  assert.deepEqual(await reader, ['one']);
});

test('too many that wait are turned away', async () => {
  const { logs, store } = open();
  const disk = latch();
  store.beforeRead = () => disk.opened;
  const writes = Array.from({ length: 1_001 }, () => add(logs, 'x'));
  await assert.rejects(Promise.any(writes.slice(1_000)), AggregateError);
  await assert.rejects(writes[1_000] ?? Promise.resolve(), Overloaded);
  disk.open();
  await Promise.all(writes.slice(0, 1_000));
  assert.equal(logs.stats().waiting, 0);
});

test('a release waits for what is under way, and what comes later asks the gate', async () => {
  const gate = shuttable('s1');
  const { logs, store, clock } = open({ gate });
  clock.stopped = true;
  await add(logs, 'one');
  const disk = latch();
  store.beforeAppend = () => disk.opened;
  const order: string[] = [];
  await turn();
  const write = add(logs, 'two').then(() => order.push('written'));
  await turn();
  const late = assert.rejects(add(logs, 'three'), LeaseLost).then(() => order.push('refused'));
  await turn();
  gate.shut = true;
  const release = logs.release((key) => key === 'k').then(() => order.push('released'));
  await turn();
  assert.deepEqual(order, []);
  disk.open();
  await Promise.all([write, late, release]);
  assert.equal(order[0], 'written');
  assert.equal(logs.stats().open, 0);
});

test('listeners hear of an entry before its writer does, and may fail', async () => {
  const { logs } = open();
  const heard: string[] = [];
  logs.onAppended(() => {
    throw new Error('a bad listener');
  });
  const off = logs.onAppended((key, seq, state) => heard.push(`${key} ${seq} ${state.words.join(' ')}`));
  await add(logs, 'one').then(() => heard.push('answered'));
  off();
  await add(logs, 'two');
  assert.deepEqual(heard, ['k 1 one', 'answered']);
});

test('an entry ends with the action that moves the log away, and what waits behind it is refused', async () => {
  const { logs, disk } = open({ isServedHere: ({ words }) => !words.includes('moved') });
  await add(logs, 'first');
  const accepted = [add(logs, 'before'), add(logs, 'moved')];
  await assert.rejects(add(logs, 'behind'), Misdirected);
  await Promise.all(accepted);
  const last = await new MemoryStore(disk).readLast('k');
  assert.deepEqual(last && codec.decode(last.entry).actions, ['before', 'moved']);
});

test('closing finishes what waits and refuses what comes', async () => {
  const { logs, disk } = open();
  const writes = [add(logs, 'one'), add(logs, 'two', 'other')];
  const closing = logs.close();
  await assert.rejects(add(logs, 'three'), StoreUnavailable);
  await Promise.all([...writes, closing]);
  assert.equal(disk.entries.size, 2);
  await logs.close();
});
