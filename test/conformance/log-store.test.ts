// What every log store promises (workloads/app-server/log/log-store.ts), each promise tried on each of them.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { hashKey } from '../../workloads/common/hash.ts';
import {
  EntryTooLarge,
  MAX_BODY_BYTES,
  MAX_ENTRY_BYTES,
  SequenceGap,
  StoreUnavailable,
  type LogStore,
  type StoredPage,
  type StoredSnapshot,
} from '../../workloads/app-server/log/log-store.ts';
import { appendUntilKilled } from './log-store-crash.ts';
import { fillMailbox, openLogs } from './log-store-images.ts';
import { STORES, type StoreUnderTest } from './log-stores.ts';

const ALL = { limit: 1000, maxBytes: Number.MAX_SAFE_INTEGER };
/** A cluster of processes may have to come up first. */
const START_DEADLINE_MS = 240_000;
const RACERS = 32;
const RACES = 20;
/** An image may be this large in memory (data.md: 4 MiB idle), so a snapshot may be as well. */
const LARGE_SNAPSHOT_BYTES = 4 * 1024 * 1024;
/** A clock that is set back by an hour; one that is behind another as servers are that work together. */
const CLOCK_JUMP_MS = 3_600_000;
const CLOCKS_APART_MS = 30_000;
const KEYS_TO_LIST = 57;
/** What an image writes at once after a long replay, and more than one call of any store's client takes. */
const MANY_PAGES = 300;
/** So many that the image is stored in pages. */
const MESSAGES = 2_000;

const newKey = (): string => `user:${randomUUID()}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string | undefined => data && new TextDecoder().decode(data);

function newPage(sizeBytes: number): StoredPage {
  return { id: randomBytes(16).toString('hex'), bytes: randomBytes(sizeBytes) };
}

function sameBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one !== undefined && other !== undefined && Buffer.compare(one, other) === 0;
}

async function fill(store: LogStore, key: string, count: number): Promise<void> {
  for (let seq = 1; seq <= count; seq++)
    assert.equal(await store.append(key, seq, bytes(`entry ${seq}`)), 'appended');
}

for (const maker of STORES) {
  describe(`log store: ${maker.name}`, { skip: maker.skip?.() }, () => {
    let under: StoreUnderTest;
    let store: LogStore;
    let other: LogStore;

    before(
      async () => {
        under = await maker.start();
        store = await under.open();
        other = await under.open();
      },
      { timeout: START_DEADLINE_MS },
    );
    after(async () => {
      await store?.close();
      await other?.close();
      await under?.close();
    });

    it('has nothing for a key that was never written', async () => {
      const key = newKey();
      assert.deepEqual(await store.read(key, 1, ALL), []);
      assert.equal(await store.readLast(key), undefined);
      assert.equal(await store.readBody(key, 1, 0), undefined);
      assert.equal(await store.getSnapshot(key), undefined);
    });

    it('gives back what was appended, in order, through another store as well', async () => {
      const key = newKey();
      await fill(store, key, 12);
      for (const reader of [store, other]) {
        const rows = await reader.read(key, 1, ALL);
        assert.deepEqual(
          rows.map((row) => [row.seq, text(row.entry)]),
          Array.from({ length: 12 }, (_, index) => [index + 1, `entry ${index + 1}`]),
        );
        const last = await reader.readLast(key);
        assert.deepEqual([last?.seq, text(last?.entry)], [12, 'entry 12']);
      }
    });

    it('reads from a number on, and nothing behind the end', async () => {
      const key = newKey();
      await fill(store, key, 5);
      assert.deepEqual(
        (await store.read(key, 4, ALL)).map((row) => row.seq),
        [4, 5],
      );
      assert.deepEqual(await store.read(key, 6, ALL), []);
      assert.deepEqual(await store.read(key, 1_000_000_000, ALL), []);
    });

    it('keeps to the limits of rows and of bytes, and returns at least one row', async () => {
      const key = newKey();
      for (let seq = 1; seq <= 6; seq++) await store.append(key, seq, new Uint8Array(100).fill(seq));
      const count = async (limit: number, maxBytes: number): Promise<number> =>
        (await store.read(key, 1, { limit, maxBytes })).length;
      assert.equal(await count(2, 10_000), 2);
      assert.equal(await count(10, 1), 1);
      assert.equal(await count(10, 100), 1);
      assert.equal(await count(10, 101), 2);
      assert.equal(await count(10, 350), 4);
      assert.equal(await count(10, 600), 6);
    });

    it('keeps the number order beyond one and two bytes', async () => {
      const key = newKey();
      for (let from = 1; from <= 300; from++) await store.append(key, from, bytes(String(from)));
      const rows = await store.read(key, 250, ALL);
      assert.deepEqual(
        rows.map((row) => row.seq),
        Array.from({ length: 51 }, (_, index) => 250 + index),
      );
      assert.equal((await store.readLast(key))?.seq, 300);
    });

    it('refuses a second entry of the same number and keeps the first', async () => {
      const key = newKey();
      await fill(store, key, 2);
      assert.equal(await other.append(key, 2, bytes('another'), [bytes('its body')]), 'conflict');
      assert.equal(await other.append(key, 1, bytes('another')), 'conflict');
      assert.equal(text((await store.readLast(key))?.entry), 'entry 2');
      assert.equal(await store.readBody(key, 2, 0), undefined);
      assert.equal(await other.append(key, 3, bytes('next')), 'appended');
    });

    it('takes the same entry again as appended: the answer to the first may have been lost', async () => {
      const key = newKey();
      const entry = bytes('mine');
      assert.equal(await store.append(key, 1, entry, [bytes('body')]), 'appended');
      assert.equal(await store.append(key, 1, entry, [bytes('body')]), 'appended');
      assert.equal(await other.append(key, 1, entry, [bytes('body')]), 'appended');
      assert.equal((await store.read(key, 1, ALL)).length, 1);
      assert.equal(text(await store.readBody(key, 1, 0)), 'body');
    });

    it('refuses a gap and a number that is none', async () => {
      const key = newKey();
      await assert.rejects(store.append(key, 2, bytes('early')), SequenceGap);
      await fill(store, key, 1);
      await assert.rejects(store.append(key, 3, bytes('early')), SequenceGap);
      assert.equal((await store.readLast(key))?.seq, 1);
      for (const seq of [0, -1, 1.5, Number.NaN])
        await assert.rejects(store.append(key, seq, bytes('x')), RangeError);
    });

    it(`lets exactly one of ${RACERS} racers have a number`, async () => {
      const key = newKey();
      for (let seq = 1; seq <= RACES; seq++) {
        const entries = Array.from({ length: RACERS }, (_, racer) => bytes(`${seq} by ${racer}`));
        const outcomes = await Promise.all(
          entries.map((entry, racer) => (racer % 2 ? store : other).append(key, seq, entry, [entry])),
        );
        const winners = outcomes.flatMap((outcome, racer) => (outcome === 'appended' ? [racer] : []));
        assert.equal(winners.length, 1, `number ${seq} has winners ${winners.join(', ')}`);
        const wanted = `${seq} by ${winners[0]}`;
        assert.equal(text((await store.readLast(key))?.entry), wanted);
        assert.equal(text(await other.readBody(key, seq, 0)), wanted);
      }
    });

    it('answers each of many appends on its own: a conflict of one fails no other', async () => {
      const taken = newKey();
      await fill(store, taken, 1);
      const keys = Array.from({ length: 40 }, newKey);
      const outcomes = await Promise.allSettled([
        ...keys.map((key) => store.append(key, 1, bytes(key))),
        store.append(taken, 1, bytes('late')),
        store.append(taken, 9, bytes('gap')),
      ]);
      const results = outcomes.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.name));
      assert.deepEqual(results, [...keys.map(() => 'appended'), 'conflict', 'SequenceGap']);
      for (const key of keys) assert.equal(text((await other.readLast(key))?.entry), key);
    });

    it('sees an append as soon as it was acknowledged', async () => {
      const key = newKey();
      for (let seq = 1; seq <= 30; seq++) {
        await store.append(key, seq, bytes(String(seq)));
        assert.equal((await other.readLast(key))?.seq, seq);
      }
    });

    it('keeps bodies beside their entry, each under its number', async () => {
      const key = newKey();
      await store.append(key, 1, bytes('none'));
      await store.append(key, 2, bytes('two'), [bytes('first'), new Uint8Array(0)]);
      await store.append(
        key,
        3,
        bytes('more'),
        Array.from({ length: 12 }, (_, index) => bytes(`b${index}`)),
      );
      assert.equal(await other.readBody(key, 1, 0), undefined);
      assert.equal(text(await other.readBody(key, 2, 0)), 'first');
      assert.equal((await other.readBody(key, 2, 1))?.length, 0);
      assert.equal(await other.readBody(key, 2, 2), undefined);
      assert.equal(text(await other.readBody(key, 3, 11)), 'b11');
      assert.equal(await other.readBody(key, 4, 0), undefined);
    });

    it('takes entries and bodies at their bounds, and refuses larger ones', async () => {
      const key = newKey();
      const entry = randomBytes(MAX_ENTRY_BYTES);
      const body = randomBytes(MAX_BODY_BYTES);
      assert.equal(await store.append(key, 1, entry, [body, body]), 'appended');
      assert.equal(Buffer.compare((await other.readLast(key))?.entry ?? bytes(''), entry), 0);
      assert.equal(Buffer.compare((await other.readBody(key, 1, 1)) ?? bytes(''), body), 0);
      const tooLarge = new Uint8Array(MAX_ENTRY_BYTES + 1);
      await assert.rejects(store.append(key, 2, tooLarge), EntryTooLarge);
      await assert.rejects(
        store.append(key, 2, bytes('x'), [new Uint8Array(MAX_BODY_BYTES + 1)]),
        EntryTooLarge,
      );
      assert.equal(await store.append(key, 2, new Uint8Array(0)), 'appended');
      assert.equal((await other.readLast(key))?.entry.length, 0);
    });

    it('holds bytes, not text, and views of larger buffers', async () => {
      const key = newKey();
      const all = Uint8Array.from({ length: 256 }, (_, index) => index);
      await store.append(key, 1, all.subarray(100, 200), [all.subarray(1, 3), Buffer.from(all)]);
      const last = await other.readLast(key);
      assert.deepEqual(Array.from(last?.entry ?? []), Array.from(all.subarray(100, 200)));
      assert.deepEqual(Array.from((await other.readBody(key, 1, 0)) ?? []), [1, 2]);
      assert.equal((await other.readBody(key, 1, 1))?.length, 256);
    });

    it('is not touched by what the caller does to its buffers afterwards', async () => {
      const key = newKey();
      const entry = bytes('before');
      const append = store.append(key, 1, entry, [entry]);
      entry.fill(0);
      await append;
      assert.equal(text((await store.readLast(key))?.entry), 'before');
      (await store.readLast(key))?.entry.fill(0);
      assert.equal(text((await store.readLast(key))?.entry), 'before');
    });

    it('keeps keys apart that are prefixes of one another, or Unicode', async () => {
      const base = newKey();
      const keys = [
        base,
        `${base}1`,
        `${base}\u0001`,
        `${base}-`,
        `address:${randomUUID()}@xn--e1afmkfd.example`,
        `address:почта-${randomUUID()}@пример.example`,
        `${base}é`.normalize('NFC'),
        `${base}é`.normalize('NFD'),
        `${base}📬`,
      ];
      for (const key of keys) {
        await store.append(key, 1, bytes(`1 of ${key}`));
        await store.append(key, 2, bytes(`2 of ${key}`), [bytes(`body of ${key}`)]);
        await store.putSnapshot(key, { seq: 2, format: 1, bytes: bytes(`snapshot of ${key}`) });
      }
      for (const key of keys) {
        const rows = await other.read(key, 1, ALL);
        assert.deepEqual(
          rows.map((row) => text(row.entry)),
          [`1 of ${key}`, `2 of ${key}`],
        );
        assert.equal(text((await other.readLast(key))?.entry), `2 of ${key}`);
        assert.equal(text(await other.readBody(key, 2, 0)), `body of ${key}`);
        assert.equal(text((await other.getSnapshot(key))?.bytes), `snapshot of ${key}`);
      }
      const listed = await listAll(store, 4);
      assert.deepEqual(new Set(keys).difference(new Set(listed)), new Set());
    });

    it('replaces the snapshot of a key, large ones too', async () => {
      const key = newKey();
      await store.putSnapshot(key, { seq: 3, format: 1, bytes: bytes('three') });
      const large = randomBytes(LARGE_SNAPSHOT_BYTES);
      await store.putSnapshot(key, { seq: 70_000, format: 2, bytes: large });
      const found = await other.getSnapshot(key);
      assert.deepEqual([found?.seq, found?.format], [70_000, 2]);
      assert.equal(Buffer.compare(found?.bytes ?? bytes(''), large), 0);
    });

    it('lists the keys that have a log, in pages, each once', async () => {
      const keys = Array.from({ length: KEYS_TO_LIST }, newKey);
      await Promise.all(keys.map((key) => store.append(key, 1, bytes('x'))));
      await fill(store, newKey(), 20);
      const onlySnapshot = newKey();
      await store.putSnapshot(onlySnapshot, { seq: 1, format: 1, bytes: bytes('x') });
      for (const limit of [1000, 10]) {
        const listed = await listAll(other, limit);
        assert.equal(new Set(listed).size, listed.length, 'a key came twice');
        assert.deepEqual(new Set(keys).difference(new Set(listed)), new Set());
        assert.ok(!listed.includes(onlySnapshot));
      }
    });

    it('keeps pages by their ids, each key its own, and gives them in the order asked for', async () => {
      const [key, neighbour] = [newKey(), newKey()];
      const pages = Array.from({ length: MANY_PAGES }, (_, index) => newPage(index * 37));
      await store.putPages(key, pages);
      const mixed = pages.toReversed();
      const ids = ['00'.repeat(16), ...mixed.map(({ id }) => id)];
      const found = await other.getPages(key, ids);
      assert.equal(found.length, ids.length);
      assert.equal(found[0], undefined);
      mixed.forEach((page, index) => assert.ok(sameBytes(found[index + 1], page.bytes), `page ${index}`));
      assert.ok((await other.getPages(neighbour, ids)).every((bytes) => bytes === undefined));
      assert.deepEqual(await store.getPages(key, []), []);
      await store.putPages(key, []);
      assert.equal(await store.getSnapshot(key), undefined);
      assert.deepEqual(await store.read(key, 1, ALL), []);
    });

    it('stores a page again, and mends one that was damaged', async () => {
      const key = newKey();
      const page = newPage(100);
      await store.putPages(key, [{ id: page.id, bytes: bytes('damaged') }]);
      await store.putPages(key, [page, page]);
      assert.ok(sameBytes((await other.getPages(key, [page.id]))[0], page.bytes));
    });

    it('deletes the pages it is told to, and all of a key with its snapshot; the log stays', async () => {
      const [key, neighbour] = [newKey(), newKey()];
      const pages = Array.from({ length: 20 }, () => newPage(500));
      const ids = pages.map(({ id }) => id);
      for (const one of [key, neighbour]) {
        await fill(store, one, 2);
        await store.putPages(one, pages);
        await store.putSnapshot(one, { seq: 2, format: 1, bytes: bytes('image') });
      }
      await store.deletePages(key, [...ids.slice(0, 5), '00'.repeat(16)]);
      const left = await other.getPages(key, ids);
      assert.deepEqual(
        left.map((one) => one !== undefined),
        ids.map((_, index) => index >= 5),
      );
      await store.dropSnapshot(key);
      assert.ok((await other.getPages(key, ids)).every((one) => one === undefined));
      assert.equal(await other.getSnapshot(key), undefined);
      assert.equal((await other.readLast(key))?.seq, 2);
      await store.dropSnapshot(key);
      assert.ok((await other.getPages(neighbour, ids)).every((one) => one !== undefined));
      assert.equal(text((await other.getSnapshot(neighbour))?.bytes), 'image');
    });

    it('deletes everything of a key and nothing else, and lets the key begin anew', async () => {
      const key = newKey();
      const neighbours = [`${key}1`, `${key}\u0000`, key.slice(0, -1)];
      const page = newPage(200);
      for (const one of [key, ...neighbours]) {
        for (let seq = 1; seq <= 30; seq++)
          await store.append(one, seq, bytes(`${seq}`), [bytes(`body ${seq}`)]);
        await store.putPages(one, [page]);
        await store.putSnapshot(one, { seq: 30, format: 1, bytes: bytes('image') });
      }
      await store.deleteKey(key);
      assert.deepEqual(await other.read(key, 1, ALL), []);
      assert.equal(await other.readLast(key), undefined);
      assert.equal(await other.readBody(key, 7, 0), undefined);
      assert.equal(await other.getSnapshot(key), undefined);
      assert.deepEqual(await other.getPages(key, [page.id]), [undefined]);
      assert.ok(!(await listAll(other, 1000)).includes(key));
      await store.deleteKey(key);
      for (const one of neighbours) {
        assert.equal((await other.read(one, 1, ALL)).length, 30);
        assert.equal(text(await other.readBody(one, 30, 0)), 'body 30');
        assert.ok(sameBytes((await other.getPages(one, [page.id]))[0], page.bytes));
        assert.equal(text((await other.getSnapshot(one))?.bytes), 'image');
      }
      assert.equal(await store.append(key, 1, bytes('anew')), 'appended');
      assert.equal(text((await other.readLast(key))?.entry), 'anew');
    });

    it('lists every key with an entry since a time, whatever others it may list', async () => {
      const [early, late, never] = [newKey(), newKey(), newKey()];
      for (const key of [early, late, never]) await store.append(key, 1, bytes('x'));
      // Of the same clock, as everything of a test runs on this machine.
      const writtenSinceMs = Date.now();
      for (const key of [early, late]) await store.append(key, 2, bytes('y'));
      for (const key of [early, late]) {
        const { bucket } = hashKey(key);
        assert.ok((await other.listKeys({ bucket, limit: 1000, writtenSinceMs })).includes(key));
        const later = Date.now() + 60_000;
        const listed = await other.listKeys({ bucket, limit: 1000, writtenSinceMs: later });
        assert.ok(listed.every((one) => hashKey(one).bucket === bucket));
      }
    });

    it('has what is written after the clocks were set back: where something was deleted, replaced, or dropped', async () => {
      const page = newPage(100);
      const storeAhead = async (key: string): Promise<void> => {
        const snapshot = { seq: 1, format: 1, bytes: bytes('image of the future') };
        const [entry, body] = [bytes('future'), bytes('body of the future')];
        if (under.storeAhead)
          return await under.storeAhead(key, CLOCK_JUMP_MS, { entry, body, snapshot, page });
        await store.append(key, 1, entry, [body]);
        await store.putPages(key, [page]);
        await store.putSnapshot(key, snapshot);
      };
      const [deleted, replaced, dropped] = [newKey(), newKey(), newKey()];
      for (const key of [deleted, replaced, dropped]) await storeAhead(key);

      await store.deleteKey(deleted);
      assert.equal(await other.readLast(deleted), undefined);
      assert.equal(await other.readBody(deleted, 1, 0), undefined);
      assert.equal(await other.append(deleted, 1, bytes('anew'), [bytes('another body')]), 'appended');
      assert.equal(await other.append(deleted, 2, bytes('more')), 'appended');
      assert.deepEqual(
        (await store.read(deleted, 1, ALL)).map(({ entry }) => text(entry)),
        ['anew', 'more'],
      );
      assert.equal(text(await store.readBody(deleted, 1, 0)), 'another body');

      for (const seq of [2, 3]) {
        await store.putSnapshot(replaced, { seq, format: 1, bytes: bytes(`image ${seq}`) });
        assert.equal(text((await other.getSnapshot(replaced))?.bytes), `image ${seq}`);
      }

      await store.dropSnapshot(dropped);
      assert.equal(await other.getSnapshot(dropped), undefined);
      assert.deepEqual(await other.getPages(dropped, [page.id]), [undefined]);
      await store.putPages(dropped, [page]);
      await store.putSnapshot(dropped, { seq: 1, format: 1, bytes: bytes('image of now') });
      assert.equal(text((await other.getSnapshot(dropped))?.bytes), 'image of now');
      assert.ok(sameBytes((await other.getPages(dropped, [page.id]))[0], page.bytes));
      await store.deletePages(dropped, [page.id]);
      assert.deepEqual(await other.getPages(dropped, [page.id]), [undefined]);
    });

    it('lists a key since a time by another clock, which is ahead of that of the store', async () => {
      const key = newKey();
      await store.append(key, 1, bytes('x'));
      const writtenSinceMs = Date.now() + CLOCKS_APART_MS;
      assert.ok(
        (await other.listKeys({ bucket: hashKey(key).bucket, limit: 1000, writtenSinceMs })).includes(key),
      );
    });

    it('lists the keys of a bucket, and no others', async () => {
      const keys = Array.from({ length: KEYS_TO_LIST }, newKey);
      await Promise.all(keys.map((key) => store.append(key, 1, bytes('x'))));
      for (const key of keys.slice(0, 5)) {
        const { bucket } = hashKey(key);
        const listed = await other.listKeys({ bucket, limit: 1000 });
        assert.ok(listed.includes(key));
        assert.ok(listed.every((one) => hashKey(one).bucket === bucket));
        assert.deepEqual(await other.listKeys({ bucket, after: listed.at(-1), limit: 10 }), []);
        assert.equal((await other.listKeys({ bucket, limit: 1 })).length, 1);
      }
      for (const bucket of [0, 65_535]) await other.listKeys({ bucket, limit: 1000 });
    });

    it('opens an image as its log makes it, whatever became of its snapshot and pages', async () => {
      const [key, another] = [newKey(), newKey()];
      const writing = openLogs(store);
      await fillMailbox(writing, key, MESSAGES);
      await fillMailbox(writing, another, 10);
      const digest = (await writing.verify(key, () => {})).digest;
      const damages: ((good: StoredSnapshot, foreign: StoredSnapshot) => StoredSnapshot | undefined)[] = [
        ({ format, ...good }) => ({ ...good, format: format + 1 }),
        ({ format, seq }) => ({ seq, format: format + 1, bytes: bytes('what a later version writes') }),
        ({ bytes: whole, ...good }) => ({ ...good, bytes: whole.subarray(0, whole.length / 2) }),
        ({ bytes: whole, ...good }) => ({
          ...good,
          bytes: whole.map((byte, at) => (at === 99 ? byte ^ 4 : byte)),
        }),
        ({ seq, ...good }) => ({ ...good, seq: seq - 1 }),
        ({ seq, ...good }) => ({ ...good, seq: seq + 1000 }),
        (_good, foreign) => foreign,
        () => undefined,
      ];
      for (const [index, damage] of damages.entries()) {
        await writing.regenerate(key);
        await writing.regenerate(another);
        const [good, foreign] = [await store.getSnapshot(key), await store.getSnapshot(another)];
        assert.ok(good && foreign);
        const bad = damage(good, foreign);
        if (bad) await store.putSnapshot(key, bad);
        // All its pages are gone.
        else {
          await store.dropSnapshot(key);
          await store.putSnapshot(key, good);
        }
        const reading = openLogs(other);
        // A page that is gone is found out by who asks for it, and asks again.
        const verified = await reading.verify(key, () => {});
        if (!verified.matches) await reading.regenerate(key);
        const again = await reading.verify(key, () => {});
        assert.deepEqual([again.matches, again.digest], [true, digest], `damage ${index}`);
        await reading.close();
      }
      await writing.close();
    });

    it('finishes what is in flight when it is closed, then refuses everything', async () => {
      const closing = await under.open();
      const keys = Array.from({ length: 20 }, newKey);
      const appends = keys.map((key) => closing.append(key, 1, bytes(key)));
      const closed = closing.close();
      assert.deepEqual(
        await Promise.all(appends),
        keys.map(() => 'appended'),
      );
      await closed;
      await closing.close();
      await assert.rejects(closing.append(newKey(), 1, bytes('x')), StoreUnavailable);
      await assert.rejects(closing.read(newKey(), 1, ALL), StoreUnavailable);
      await assert.rejects(closing.readLast(newKey()), StoreUnavailable);
      await assert.rejects(closing.readBody(newKey(), 1, 0), StoreUnavailable);
      await assert.rejects(closing.listKeys({ limit: 1 }), StoreUnavailable);
      await assert.rejects(closing.getSnapshot(newKey()), StoreUnavailable);
      await assert.rejects(
        closing.putSnapshot(newKey(), { seq: 1, format: 1, bytes: bytes('x') }),
        StoreUnavailable,
      );
      await assert.rejects(closing.putPages(newKey(), [newPage(1)]), StoreUnavailable);
      await assert.rejects(closing.getPages(newKey(), [newPage(1).id]), StoreUnavailable);
      await assert.rejects(closing.deletePages(newKey(), [newPage(1).id]), StoreUnavailable);
      await assert.rejects(closing.dropSnapshot(newKey()), StoreUnavailable);
      await assert.rejects(closing.deleteKey(newKey()), StoreUnavailable);
      for (const key of keys) assert.equal(text((await store.readLast(key))?.entry), key);
    });

    it('has everything when it is opened again', async () => {
      const key = newKey();
      const first = await under.open();
      await first.append(key, 1, bytes('kept'), [bytes('body')]);
      await first.putSnapshot(key, { seq: 1, format: 7, bytes: bytes('image') });
      await first.close();
      const second = await under.open();
      try {
        assert.equal(text((await second.readLast(key))?.entry), 'kept');
        assert.equal(text(await second.readBody(key, 1, 0)), 'body');
        assert.equal((await second.getSnapshot(key))?.format, 7);
        assert.equal(await second.append(key, 2, bytes('more')), 'appended');
      } finally {
        await second.close();
      }
    });

    it('has every acknowledged entry after kill -9 of the process that appends, without a gap', async (t) => {
      const url = under.url;
      if (!url) {
        t.skip('this store lives in one process');
        return;
      }
      const keys = Array.from({ length: 8 }, newKey);
      for (let round = 0; round < 3; round++) {
        const acknowledged = await appendUntilKilled(url, keys, 150);
        for (const key of keys) {
          const rows = await store.read(key, 1, ALL);
          rows.forEach((row, index) => assert.equal(row.seq, index + 1, `a gap in ${key}`));
          assert.ok(rows.length >= (acknowledged.get(key) ?? 0), `${key} lost an acknowledged entry`);
          assert.ok(rows.length <= (acknowledged.get(key) ?? 0) + 1, `${key} has more than was tried`);
          for (const row of rows) {
            assert.equal(text(row.entry), `${key} ${row.seq}`);
            assert.equal(text(await store.readBody(key, row.seq, 0)), `body ${row.seq}`);
          }
        }
      }
    });
  });
}

async function listAll(store: LogStore, limit: number): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const after = keys.at(-1);
    const page = await store.listKeys(after === undefined ? { limit } : { after, limit });
    assert.ok(page.length <= limit);
    keys.push(...page);
    if (page.length < limit) return keys;
  }
}
