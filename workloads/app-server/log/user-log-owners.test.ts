import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnreadableEntry } from './entry-codec.ts';
import { OutcomeUnknown, StoreUnavailable } from './log-store.ts';
import { MemoryStore } from './memory-store.ts';
import { LeaseLost, Misdirected } from './user-log-errors.ts';
import { add, codec, entriesOf, open, shuttable, wordsOf, type Words } from './testing.ts';

test('an entry of another writer means: look elsewhere, and read anew', async () => {
  const { logs, store } = open();
  await add(logs, 'one');
  const other = { timeMs: 5, writer: { server: 'b', session: 's', number: 1 }, actions: ['theirs'] };
  await store.append('k', 2, codec.encode(other));
  await assert.rejects(add(logs, 'mine'), Misdirected);
  assert.deepEqual(await wordsOf(logs), ['one', 'theirs']);
});

test('a refused append is told and leaves no trace', async () => {
  const { logs, store } = open();
  await add(logs, 'one');
  store.beforeAppend = () => Promise.reject(new StoreUnavailable('away'));
  await assert.rejects(add(logs, 'two'), StoreUnavailable);
  store.beforeAppend = () => {};
  assert.deepEqual(await wordsOf(logs), ['one']);
});

test('an entry whose answer was lost is found', async () => {
  const { logs, store, disk } = open();
  store.afterAppend = () => {
    store.afterAppend = () => {};
    throw new OutcomeUnknown('lost');
  };
  assert.equal((await add(logs, 'one')).seq, 1);
  assert.equal(store.appends, 1);
  assert.equal(entriesOf(disk).length, 1);
});

test('an entry that did not arrive is sent again as it was, also when the store was away in between', async () => {
  const { logs, store, disk } = open();
  const errors = [new OutcomeUnknown('lost'), new StoreUnavailable('away'), new OutcomeUnknown('lost again')];
  store.beforeAppend = () => {
    const error = errors.shift();
    if (error) throw error;
  };
  assert.equal((await add(logs, 'one')).seq, 1);
  assert.equal(store.appends, 4);
  assert.deepEqual(
    entriesOf(disk).map((entry) => entry.actions),
    [['one']],
  );
});

test('an outcome that stays unknown is told as such, and the next request finds out', async () => {
  const { logs, store, clock } = open();
  await add(logs, 'one');
  store.beforeAppend = () => Promise.reject(new OutcomeUnknown('lost'));
  store.beforeRead = () => Promise.reject(new StoreUnavailable('away'));
  const from = clock.time;
  await assert.rejects(add(logs, 'two'), OutcomeUnknown);
  assert.ok(clock.time - from < 30_000);
  store.beforeAppend = () => {};
  store.beforeRead = () => {};
  assert.deepEqual(await wordsOf(logs), ['one']);
});

test('a store that never answers does not hang a key', async () => {
  const { logs, store } = open();
  store.beforeAppend = () => new Promise(() => {});
  await assert.rejects(add(logs, 'one'), OutcomeUnknown);
  store.beforeRead = () => new Promise(() => {});
  await assert.rejects(wordsOf(logs), StoreUnavailable);
});

test('a lost answer is not settled by a second try once ownership is lost', async () => {
  const gate = shuttable('s1');
  const { logs, store } = open({ gate });
  await add(logs, 'one');
  store.beforeAppend = () => {
    gate.shut = true;
    throw new OutcomeUnknown('lost');
  };
  await assert.rejects(add(logs, 'two'), OutcomeUnknown);
  assert.equal(store.appends, 2);
});

test('a new session fences the log of an earlier one before it serves, once', async () => {
  const { logs, disk } = open();
  await add(logs, 'one');
  const next = open({ disk, session: 's2' });
  assert.deepEqual(await wordsOf(next.logs), ['one']);
  assert.deepEqual(
    entriesOf(disk).map((entry) => entry.actions.length),
    [1, 0],
  );
  await next.logs.release(() => true);
  await wordsOf(next.logs);
  assert.equal(entriesOf(disk).length, 2);
  await assert.rejects(add(logs, 'late'), Misdirected);
});

test('a fence that loses reads on', async () => {
  const { logs, disk } = open();
  await add(logs, 'one');
  const next = open({ disk, session: 's2' });
  const late = { timeMs: 5, writer: { server: 'a', session: 's1', number: 9 }, actions: ['late'] };
  next.store.beforeAppend = async () => {
    next.store.beforeAppend = () => {};
    await new MemoryStore(disk).append('k', 2, codec.encode(late));
  };
  assert.deepEqual(await wordsOf(next.logs), ['one', 'late']);
  assert.deepEqual(
    entriesOf(disk).map((entry) => entry.actions.length),
    [1, 1, 0],
  );
});

test('a question for a key without a log makes none', async () => {
  const { logs, disk } = open();
  assert.deepEqual(await logs.read('k', (state, seq) => [state.words.length, seq]), [0, 0]);
  assert.equal(disk.entries.size, 0);
});

test('the first entry of a log is acknowledged only by who still owns it', async () => {
  const gate = shuttable('s1');
  const { logs, store } = open({ gate });
  store.afterAppend = () => void (gate.shut = true);
  await assert.rejects(add(logs, 'one'), OutcomeUnknown);
});

test('a later entry that became durable is acknowledged even if ownership was lost meanwhile', async () => {
  const gate = shuttable('s1');
  const { logs, store } = open({ gate });
  await add(logs, 'one');
  store.afterAppend = () => void (gate.shut = true);
  assert.equal((await add(logs, 'two')).seq, 2);
  await assert.rejects(wordsOf(logs), LeaseLost);
});

test('a read is not answered once ownership is lost, nor is its error', async () => {
  const gate = shuttable('s1');
  const { logs } = open({ gate });
  await add(logs, 'one');
  const shut = () => {
    gate.shut = true;
    return 'answer';
  };
  await assert.rejects(logs.read('k', shut), LeaseLost);
  gate.shut = false;
  const fail = () => {
    gate.shut = true;
    throw new RangeError('no such thing');
  };
  await assert.rejects(logs.read('k', fail), LeaseLost);
});

test('an entry that this version does not know stops the replay', async () => {
  const { logs, disk } = open();
  await add(logs, 'unknown');
  await assert.rejects(wordsOf(open({ disk }).logs), UnreadableEntry);
});

test('a log that another server has brought back is served by one that had opened it before', async () => {
  const isServedHere = ({ words }: Words): boolean => words.lastIndexOf('moved') <= words.lastIndexOf('back');
  const bringBack = (state: Words): string | undefined => (isServedHere(state) ? undefined : 'back');
  const { logs: before, disk } = open({ isServedHere });
  await add(before, 'moved');
  const { logs: after } = open({ isServedHere, disk, session: 's2' });
  await assert.rejects(wordsOf(after), Misdirected);
  assert.equal(await before.adopt('k', bringBack), 2);
  await assert.rejects(wordsOf(after), Misdirected);
  assert.equal(await after.adopt('k', bringBack), 2);
  assert.deepEqual(await wordsOf(after), ['moved', 'back']);
});
