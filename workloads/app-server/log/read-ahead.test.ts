import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../common/clock.ts';
import { imageFold } from '../image/fold.ts';
import { asUser, type Image } from '../image/model.ts';
import { imageSnapshots } from '../image/snapshot.ts';
import { deliver } from '../logic/delivery.ts';
import { delivery } from '../logic/testing.ts';
import { createUser } from '../logic/users.ts';
import { soleOwner } from '../ring/sole-owner.ts';
import type { Action } from './actions.ts';
import { entryCodec } from './entry.ts';
import type { LogRow } from './log-store.ts';
import { MemoryLogs, MemoryStore } from './memory-store.ts';
import { UserLogs } from './user-log.ts';

const KEY = 'user:u1';
const CREDENTIALS = { salt: Uint8Array.of(1), hash: Uint8Array.of(2), n: 2, r: 1, p: 1 };

class CountingStore extends MemoryStore {
  /** The first entry that each reading asked for. */
  readonly readFrom: number[] = [];

  override async read(...args: Parameters<MemoryStore['read']>): Promise<LogRow[]> {
    this.readFrom.push(args[1]);
    return await super.read(...args);
  }
}

type Server = { logs: UserLogs<Image, Action>; store: CountingStore };

function server(name: string, disk: MemoryLogs): Server {
  const store = new CountingStore(disk);
  const logs = new UserLogs({
    store,
    codec: entryCodec,
    fold: imageFold,
    gate: soleOwner(name, name),
    clock: systemClock,
    cacheBytes: 1e6,
  });
  return { logs, store };
}

const add = ({ logs }: Server, key: string) => logs.write(KEY, (tx) => deliver(tx, delivery(key)));
const emails = ({ logs }: Server) => logs.read(KEY, (image) => asUser(image)?.emails.size);
const digest = ({ logs }: Server) =>
  logs.read(KEY, (image, _seq, look) => look(() => imageSnapshots.digest(image)));

/** A user with messages, on the server that will leave. */
async function leaver(disk: MemoryLogs): Promise<Server> {
  const old = server('old', disk);
  await old.logs.write(KEY, (tx) =>
    createUser(tx, 'a', { userId: 'u1', addresses: ['u1@x.test'], displayName: '' }, CREDENTIALS),
  );
  for (let n = 0; n < 40; n++) await add(old, `d${n}`);
  await old.logs.saveSnapshots(10_000);
  return old;
}

test('a log that was read ahead goes on with what was written since, behind a fence', async () => {
  const disk = new MemoryLogs();
  const old = await leaver(disk);
  const next = server('next', disk);
  await next.logs.readAhead([KEY]);
  const ahead = next.store.readFrom.length;
  await add(old, 'since');
  const last = disk.entries.get(KEY)?.length ?? 0;
  assert.equal(await emails(next), 41);
  // What was written since, and whether the fence came behind it: nothing is read twice.
  assert.deepEqual(next.store.readFrom.slice(ahead), [last]);
  const rows = disk.entries.get(KEY) ?? [];
  assert.equal(rows.length, last + 1);
  assert.equal(entryCodec.decode(rows.at(-1)?.entry ?? new Uint8Array()).writer.server, 'next');
  assert.equal(await digest(next), await digest(server('third', disk)));
  await assert.rejects(add(old, 'late'), { name: 'Misdirected' });
});

test('a log to which nothing was added since is not read again', async () => {
  const disk = new MemoryLogs();
  await leaver(disk);
  const next = server('next', disk);
  await next.logs.readAhead([KEY]);
  const ahead = next.store.readFrom.length;
  assert.equal(await emails(next), 40);
  assert.equal(next.store.readFrom.length, ahead);
});

test('a log that was last written by the server that reads it ahead is read again: another one may have gone on', async () => {
  const disk = new MemoryLogs();
  const next = await leaver(disk);
  await next.logs.release(() => true);
  await next.logs.readAhead([KEY]);
  const between = server('between', disk);
  await add(between, 'meanwhile');
  assert.equal(await emails(next), 41);
  assert.equal(await digest(next), await digest(server('third', disk)));
});

test('what was read ahead of another snapshot is not used', async () => {
  const disk = new MemoryLogs();
  const old = await leaver(disk);
  const next = server('next', disk);
  await next.logs.readAhead([KEY]);
  for (let n = 0; n < 40; n++) await add(old, `e${n}`);
  await old.logs.saveSnapshots(10_000);
  await add(old, 'after the snapshot');
  const ahead = next.store.readFrom.length;
  assert.equal(await emails(next), 81);
  // Nor is the log replayed from its beginning because of it.
  assert.ok(!next.store.readFrom.slice(ahead).includes(1));
  assert.equal(await digest(next), await digest(server('third', disk)));
});

test('a log that is not there may be read ahead, and begun', async () => {
  const disk = new MemoryLogs();
  const next = server('next', disk);
  await next.logs.readAhead([KEY, 'user:u2']);
  assert.equal(disk.entries.size, 0);
  await leaver(disk);
  assert.equal(await emails(next), 40);
});

test('what was read ahead is used once, and only until it is distrusted', async () => {
  const disk = new MemoryLogs();
  await leaver(disk);
  const next = server('next', disk);
  await next.logs.readAhead([KEY]);
  await next.logs.regenerate(KEY);
  assert.equal(await emails(next), 40);
});
