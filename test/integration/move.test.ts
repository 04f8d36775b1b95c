// cellctl user move, on a real platform with mail coming in: no request fails, nothing is lost, whatever breaks off.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import type { RequestOptions, SentResponse } from '../../workloads/common/cell-client/sender.ts';
import { addressKey, userKey } from '../../workloads/common/keys.ts';
import { moveKey, moveLog } from '../../workloads/common/moves/move-key.ts';
import { openTestCells } from '../support/cells.ts';
import { openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { MoveLoad } from './move-load.ts';

const ALICE = 'alice@cellpost.test';
const BOB = 'bob@cellpost.test';

type Place = { userId: string; cell: string; node: string };
type Node = { cell: string; node: string; state: string; pid: number };

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
const other = (cell: string): string => (cell === 'a' ? 'b' : 'a');

test('a user moves to and fro under load, and neither a request nor a mail is lost', async () => {
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
  for (let n = 0; n < 4; n++) {
    const { cell, userId } = await place(ALICE);
    const to = other(cell);
    const answer = await platform.cellctl<{ moved: boolean; from: string }>('user', 'move', ALICE, to);
    assert.deepEqual([answer.moved, answer.from], [true, cell]);
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
  const again = await platform.cellctl<{ moved: boolean }>('user', 'move', ALICE, (await place(ALICE)).cell);
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

test('app servers that are killed while a user moves lose nothing', async () => {
  await using load = await MoveLoad.start(platform, ALICE);
  const { userId } = await place(ALICE);
  const key = userKey(userId);
  for (let n = 0; n < 4; n++) {
    const from = (await cells.discovery.cellOf(key)) ?? '';
    const to = other(from);
    const cell = n % 2 === 0 ? from : to;
    const nodes = await platform.cellctl<Node[]>('nodes');
    const node = nodes.find((one) => one.cell === cell && one.state === 'serving');
    assert.ok(node, JSON.stringify(nodes));
    const moving = moveLog(cells, { key, from, to }, async () => {
      process.kill(node.pid, 'SIGKILL');
      await cells.discovery.putException(key, to, false);
    }).catch(() => undefined);
    await moving;
    await moveKey(cells, key, to);
    assert.equal(await cells.discovery.cellOf(key), to);
  }
  await load.assertGood();
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
