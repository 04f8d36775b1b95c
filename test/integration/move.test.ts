// cellctl user move, on a real platform with mail coming in: no request fails, nothing is lost, whatever breaks off.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import type { RequestOptions, SentResponse } from '../../workloads/common/cell-client/sender.ts';
import { addressKey, userKey } from '../../workloads/common/keys.ts';
import { moveKey, moveLog, unfinishedMoves } from '../../workloads/common/moves/move-key.ts';
import { openTestCells } from '../support/cells.ts';
import { openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';
import { MoveLoad } from './move-load.ts';

const ALICE = 'alice@cellpost.test';
const BOB = 'bob@cellpost.test';
const WAIT_MS = 60_000;

type Place = { userId: string; cell: string; node: string };
type Moved = { moved: boolean; from: string; frozenMs: number };

const MOVES = 5;
/** What a user may have to wait; beside it, on a machine that is busy, as many answers as a freeze takes and some more. */
const FREEZE_MS = 200;
const FREEZE_ANSWERS = 10;

let platform: PlatformUnderTest;
let cells: Cells;

before(async () => {
  platform = await startPlatform();
  cells = await openTestCells(platform.home);
});

after(async () => {
  await cells?.close();
  await platform?.[Symbol.asyncDispose]();
});

const place = (address: string): Promise<Place> => platform.cellctl<Place>('where', address);
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const other = (cell: string): string => (cell === 'a' ? 'b' : 'a');

test('a user moves to and fro under load, and neither a request nor a mail is lost', async (t) => {
  await using load = await MoveLoad.start(platform, ALICE);
  const state = async (): Promise<string> => {
    const [response] = await load.client.call([
      'Email/get',
      { accountId: load.client.accountId, ids: [] },
      '0',
    ]);
    return String(response?.[1].state);
  };
  const before = await state();
  const freezesMs: number[] = [];
  for (let n = 0; n < MOVES; n++) {
    const { cell, userId } = await place(ALICE);
    const to = other(cell);
    const answer = await platform.cellctl<Moved>('user', 'move', ALICE, to);
    assert.deepEqual([answer.moved, answer.from], [true, cell]);
    freezesMs.push(answer.frozenMs);
    for (const key of [userKey(userId), addressKey(ALICE)])
      assert.equal(await cells.discovery.cellOf(key), to);
  }
  // Clients go on from the states that they knew.
  const [changes] = await load.client.call([
    'Email/changes',
    { accountId: load.client.accountId, sinceState: before },
    '0',
  ]);
  assert.equal(changes?.[0], 'Email/changes');
  await load.assertGood();
  assert.ok(load.acknowledged.length > 20, `${load.acknowledged.length} mails`);
  const [frozenMs, answerMs] = [median(freezesMs), median(load.readsMs)];
  t.diagnostic(`frozen ${frozenMs.toFixed(0)} ms, an answer takes ${answerMs.toFixed(1)} ms (medians)`);
  assert.ok(frozenMs > 0 && frozenMs < FREEZE_MS + FREEZE_ANSWERS * answerMs, freezesMs.join(', '));
  const again = await platform.cellctl<Moved>('user', 'move', ALICE, (await place(ALICE)).cell);
  assert.equal(again.moved, false);
});

test('an event stream of a user who moves goes on where the user is', async () => {
  const client = await openJmap(platform.webUrl, BOB, 'demo');
  const { cell } = await place(BOB);
  const ending = new AbortController();
  const response = await fetch(`${platform.webUrl}/jmap/eventsource?types=Email&closeafter=no&ping=0`, {
    headers: { authorization: `Basic ${Buffer.from(`${BOB}:demo`).toString('base64')}` },
    signal: ending.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const heard = (async () => {
    let text = '';
    while (!text.includes('event: state')) text += (await reader?.read())?.value ?? '';
  })();
  await platform.cellctl('user', 'move', BOB, other(cell));
  const [boxes] = await client.call(['Mailbox/get', { accountId: client.accountId }, '0']);
  assert.equal(boxes?.[0], 'Mailbox/get');
  await using load = await MoveLoad.start(platform, BOB);
  await heard;
  ending.abort();
  await load.assertGood();
});

/** Cells whose requests break off at the `at`th, before it is sent or after it took effect. */
function breaking(at: number, when: 'before' | 'after'): Cells {
  let count = 0;
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = ++count === at;
    if (mine && when === 'before') throw new Error('broken off');
    const result = await work();
    if (mine) throw new Error('broken off');
    return result;
  };
  return new Proxy(cells, {
    get(target, name) {
      if (name === 'request')
        return (key: string, options: RequestOptions): Promise<SentResponse> =>
          step(() => target.request(key, options) as Promise<SentResponse>);
      if (name === 'discovery')
        return new Proxy(target.discovery, {
          get(discovery, method) {
            const value: unknown = Reflect.get(discovery, method);
            if (typeof value !== 'function') return value;
            return (...args: unknown[]) =>
              step(() => Promise.resolve(value.apply(discovery, args) as unknown));
          },
        });
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test('a move that breaks off at any step is completed by the next, with mail coming in', async () => {
  await using load = await MoveLoad.start(platform, ALICE);
  const { userId } = await place(ALICE);
  const key = userKey(userId);
  let broken = 0;
  for (const when of ['before', 'after'] as const) {
    for (let at = 1; ; at++) {
      const to = other((await cells.discovery.cellOf(key)) ?? '');
      const first = await moveKey(breaking(at, when), key, to).then(
        () => 'completed',
        (error: Error) => error.message,
      );
      if (first === 'broken off') broken++;
      else assert.equal(first, 'completed');
      await moveKey(cells, key, to);
      assert.equal(await cells.discovery.cellOf(key), to);
      if (first === 'completed') break;
    }
  }
  assert.ok(broken >= 16, `broken off ${broken} times`);
  await load.assertGood();
});

test('a move that ended half-way can be taken back, and a mover that slept meanwhile changes nothing', async () => {
  const { userId, cell: from } = await place(ALICE);
  const key = userKey(userId);
  const to = other(from);
  await assert.rejects(
    moveLog(cells, { key, from, to }, () => Promise.reject(new Error('broken off'))),
    /broken off/,
  );
  assert.equal((await platform.cellctl<{ moved: boolean }>('user', 'move', ALICE, from)).moved, true);
  assert.equal(await cells.discovery.cellOf(key), from);
  await using load = await MoveLoad.start(platform, ALICE);
  // What the one that slept would do now: it thinks that the user is where it was not for long.
  await assert.rejects(cells.discovery.putException(key, to, false, to), /409/);
  assert.equal(await cells.discovery.cellOf(key), from);
  await load.assertGood();
});

test('a move whose mover died after the log had ended is finished by discovery; nobody sees more than a pause', async () => {
  const { userId, cell: from } = await place(ALICE);
  const key = userKey(userId);
  const to = other(from);
  await using load = await MoveLoad.start(platform, ALICE);
  await assert.rejects(
    moveLog(cells, { key, from, to }, () => Promise.reject(new Error('broken off'))),
    /broken off/,
  );
  const noted = await platform.cellctl<{ unfinished: object[] }>('rebalance', '--dry-run');
  assert.deepEqual(noted.unfinished, [{ key, from, to }]);
  await until(async () => (await cells.discovery.cellOf(key)) === to, {
    timeoutMs: WAIT_MS,
    what: 'discovery to finish it',
  });
  assert.deepEqual(await unfinishedMoves(cells), []);
  await load.assertGood();
});

test('a note of a move that never began is taken away by the same command', async () => {
  const { userId, cell } = await place(BOB);
  const key = userKey(userId);
  await assert.rejects(cells.discovery.noteMove(key, other(cell), cell), /409/);
  await cells.discovery.noteMove(key, cell, other(cell));
  assert.deepEqual(await unfinishedMoves(cells), [{ key, from: cell, to: other(cell) }]);
  assert.equal((await platform.cellctl<Moved>('user', 'move', BOB, cell)).moved, false);
  assert.deepEqual(await unfinishedMoves(cells), []);
  assert.equal((await place(BOB)).cell, cell);
});

test('nonsense is refused in a sentence', async () => {
  await assert.rejects(
    platform.cellctl('user', 'move', ALICE, 'nowhere'),
    /There is no cell nowhere; there are a, b/,
  );
  await assert.rejects(platform.cellctl('user', 'move', 'no one', 'a'), /neither an address/);
  const { userId, cell } = await place(ALICE);
  const refused = await cells.request(userKey(userId), {
    method: 'DELETE',
    path: `/logs/${encodeURIComponent(userKey(userId))}`,
    idempotent: true,
  });
  await refused.body.dump();
  assert.equal(refused.status, 409);
  assert.equal((await place(ALICE)).cell, cell);
});
