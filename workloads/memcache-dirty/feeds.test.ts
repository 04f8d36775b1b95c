import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, test } from 'node:test';
import { ClockAhead } from '../../test/support/clock-ahead.ts';
import { until } from '../../test/support/wait.ts';
import type { FeedLine } from '../common/changes/feed-lines.ts';
import { createLogger } from '../common/log.ts';
import { Feeds } from './feeds.ts';

const WAIT = { timeoutMs: 20_000, intervalMs: 5 };

let url = '';
let servers: string[] = [];
let asked: URL[] = [];
let streams: ServerResponse[] = [];
let changed: string[] = [];
let feeds: Feeds;
let clock: ClockAhead;
let stopServer: () => void;

/** An app server whose feed says what the test wants. */
beforeEach(async () => {
  [asked, streams, changed] = [[], [], []];
  const server = createServer((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://here'));
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    streams.push(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  servers = [url];
  stopServer = () => {
    server.closeAllConnections();
    server.close();
  };
  clock = new ClockAhead();
  feeds = new Feeds({
    clock,
    cells: { appServers: () => servers.map((each) => ({ cell: 'a', url: each })) },
    token: 'a token of tests',
    logger: createLogger('test', 'silent'),
    onChange: async (key) => {
      changed.push(key);
      if (key === 'lost') throw new Error('memcached is away');
    },
  });
});
afterEach(async () => {
  await feeds.close();
  stopServer();
});

async function connected(count: number): Promise<ServerResponse> {
  const stream = await until(() => streams[count - 1], { ...WAIT, what: 'the feed to be opened' });
  return stream;
}

function tell(stream: ServerResponse, line: FeedLine): void {
  stream.write(`${JSON.stringify(line)}\n`);
}

const hello = (number: number, resumed: boolean, instance = 'one'): FeedLine => ({
  type: 'hello',
  instance,
  number,
  resumed,
  timeMs: 0,
  heldSince: 0,
});
const change = (number: number, key = 'k'): FeedLine => ({
  type: 'change',
  number,
  key,
  seq: 1,
  kinds: ['email'],
});
const ping = (number: number, heldSince: number | null = 0): FeedLine => ({
  type: 'ping',
  number,
  timeMs: 0,
  heldSince,
});
const isAt = (number: number) => () => feeds.mark(url)?.number === number;

test('What was read behind the feed as it is heard now is believed; what was read before is not', async () => {
  assert.equal(feeds.mark(url), undefined);
  tell(await connected(1), hello(7, false));
  await until(isAt(7), WAIT);
  assert.ok(feeds.believes(url, { instance: 'one', number: 7 }));
  assert.ok(feeds.believes(url, { instance: 'one', number: 9 }));
  assert.ok(!feeds.believes(url, { instance: 'one', number: 6 }));
  assert.ok(!feeds.believes(url, { instance: 'another', number: 7 }));
});

test('A feed that goes on where it broke is believed once it has told what was missed', async () => {
  const first = await connected(1);
  tell(first, hello(7, false));
  await until(isAt(7), WAIT);
  first.destroy();
  await until(() => feeds.mark(url) === undefined, WAIT);
  const second = await connected(2);
  assert.equal(asked[1]?.searchParams.get('instance'), 'one');
  assert.equal(asked[1]?.searchParams.get('after'), '7');
  tell(second, hello(7, true));
  tell(second, change(8));
  await until(() => changed.length === 1, WAIT);
  assert.equal(feeds.mark(url), undefined);
  tell(second, ping(8));
  await until(isAt(8), WAIT);
  assert.ok(feeds.believes(url, { instance: 'one', number: 7 }));
});

test('After a gap nothing from before is believed', async () => {
  const first = await connected(1);
  tell(first, hello(7, false));
  await until(isAt(7), WAIT);
  first.destroy();
  tell(await connected(2), hello(20, false));
  await until(isAt(20), WAIT);
  assert.ok(!feeds.believes(url, { instance: 'one', number: 19 }));
});

test('After an invalidation that failed nothing from before is believed', async () => {
  const stream = await connected(1);
  tell(stream, hello(7, false));
  tell(stream, change(8, 'lost'));
  await until(isAt(8), WAIT);
  await until(() => !feeds.believes(url, { instance: 'one', number: 7 }), WAIT);
  assert.ok(feeds.believes(url, { instance: 'one', number: 8 }));
});

test('A feed that misses its ping is not believed', async () => {
  tell(await connected(1), hello(7, false));
  await until(isAt(7), WAIT);
  await until(() => !feeds.believes(url, { instance: 'one', number: 7 }), WAIT);
  assert.equal(feeds.mark(url), undefined);
});

test('What a server gave up may be changed by others: nothing from before is believed', async () => {
  const stream = await connected(1);
  tell(stream, hello(7, false));
  tell(stream, change(8));
  await until(isAt(8), WAIT);
  tell(stream, ping(9, 9));
  await until(isAt(9), WAIT);
  assert.ok(!feeds.believes(url, { instance: 'one', number: 8 }));
  assert.ok(feeds.believes(url, { instance: 'one', number: 9 }));
});

test('A server that does not know whether it serves is not believed, whatever it tells', async () => {
  const stream = await connected(1);
  tell(stream, hello(7, false));
  await until(isAt(7), WAIT);
  tell(stream, ping(7, null));
  await until(() => feeds.mark(url) === undefined, WAIT);
  tell(stream, change(8));
  await until(() => changed.length === 1, WAIT);
  assert.equal(feeds.mark(url), undefined);
  tell(stream, ping(8));
  await until(isAt(8), WAIT);
});

test('What a server gave up is not believed either when it was told while the feed was broken', async () => {
  const first = await connected(1);
  tell(first, hello(7, false));
  await until(isAt(7), WAIT);
  first.destroy();
  const second = await connected(2);
  tell(second, hello(7, true));
  tell(second, ping(8, 8));
  await until(isAt(8), WAIT);
  assert.ok(!feeds.believes(url, { instance: 'one', number: 7 }));
});

test('A server that comes back to the ring with the instance of before is asked anew', async () => {
  tell(await connected(1), hello(7, false));
  await until(isAt(7), WAIT);
  servers = [];
  await until(() => feeds.stats().wanted === 0, WAIT);
  servers = [url];
  tell(await connected(2), hello(9, false));
  await until(isAt(9), WAIT);
  assert.equal(asked[1]?.searchParams.get('instance'), '');
  assert.ok(!feeds.believes(url, { instance: 'one', number: 8 }));
});

test('A feed that is neither heard nor tried makes this process ill; one that is away does not', async () => {
  const stream = await connected(1);
  assert.equal(feeds.health(), true);
  clock.aheadMs += 90_000;
  assert.match(String(feeds.health()), /^following http:\S+ has not gone on for 9\d s$/);
  tell(stream, hello(1, false));
  await until(() => feeds.health() === true, WAIT);
  stopServer();
  await until(() => feeds.mark(url) === undefined, WAIT);
  clock.aheadMs += 90_000;
  await until(() => feeds.health() === true, WAIT);
});
