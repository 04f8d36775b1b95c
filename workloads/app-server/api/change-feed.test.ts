import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeWebStream } from 'node:stream/web';
import { after, test } from 'node:test';
import { feedLine, type FeedLine } from '../../common/changes/feed-lines.ts';
import { listenHttp, type HttpListener } from '../../common/http/server.ts';
import { systemClock } from '../../common/clock.ts';
import { createLogger } from '../../common/log.ts';
import { EMPTY_USER } from '../image/empty.ts';
import { ordinal } from '../image/ids.ts';
import type { Image } from '../image/model.ts';
import { ChangeFeed } from './change-feed.ts';
import { WorkloadMetrics } from '../../common/metrics/workload-metrics.ts';

type Listener = (key: string, seq: number, state: Image) => void;
const closing: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

async function start(
  remembered: number,
  serves = (): boolean => true,
): Promise<{ tell: Listener; listener: HttpListener; feed: ChangeFeed }> {
  let tell: Listener = () => undefined;
  const logs = { onAppended: (listener: Listener) => ((tell = listener), () => undefined) };
  const feed = new ChangeFeed(logs, serves, systemClock, remembered);
  const listener = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    logger: createLogger('test', 'silent'),
    metrics: new WorkloadMetrics('app_server'),
    ready: () => true,
    routes: (app) => app.get('/changes', (request, response) => feed.follow(request, response)),
  });
  closing.push(
    () => listener.close(),
    () => feed.close(),
  );
  return { tell, listener, feed };
}

test(
  'a follower that does not read is cut, and costs those who append nothing but the ring',
  { timeout: 30_000 },
  async () => {
    const { tell, listener, feed } = await start(4_096);
    const socket = createConnection(listener.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /changes HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'readable');
    socket.pause();
    assert.equal(feed.followers, 1);
    for (let seq = 1; feed.followers > 0; seq++) {
      for (let n = 0; n < 1_000; n++)
        tell(`user:${'x'.repeat(60)}${n}`, seq, {
          ...EMPTY_USER,
          emailsChangedAt: ordinal({ seq, index: 0 }),
        });
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.destroy();
  },
);

test('a follower that comes back too late is told that it missed something', async () => {
  const { tell, listener } = await start(4);
  const hello = async (query: string): Promise<{ instance: string; number: number; resumed: boolean }> => {
    const response = await fetch(`${listener.url}/changes?${query}`);
    const { value } = (await response.body?.getReader().read()) ?? {};
    return JSON.parse(new TextDecoder().decode(value).split('\n')[0] ?? '') as Awaited<
      ReturnType<typeof hello>
    >;
  };
  const { instance, number } = await hello('');
  for (let seq = 1; seq <= 4; seq++) tell('user:a', seq, EMPTY_USER);
  assert.equal((await hello(`instance=${instance}&after=${number}`)).resumed, true);
  tell('user:a', 5, EMPTY_USER);
  assert.equal((await hello(`instance=${instance}&after=${number}`)).resumed, false);
  assert.equal((await fetch(`${listener.url}/changes?kinds=nonsense`)).status, 400);
});

test('it says at once what it gave up, and nothing can be relied on while it does not serve', async () => {
  let serves = true;
  const { tell, listener, feed } = await start(16, () => serves);
  const response = await fetch(`${listener.url}/changes`);
  const lines = createInterface({ input: Readable.fromWeb(response.body as NodeWebStream) });
  const iterator = lines[Symbol.asyncIterator]();
  const next = async (): Promise<FeedLine> =>
    feedLine.parse(JSON.parse(String((await iterator.next()).value)));
  const heldSince = async (wanted: number | null): Promise<void> => {
    for (;;) {
      const line = await next();
      if (line.type !== 'change' && line.heldSince === wanted) return;
    }
  };
  await heldSince(0);
  tell('user:a', 1, EMPTY_USER);
  feed.gaveUp();
  assert.deepEqual(await next(), { type: 'change', number: 1, key: 'user:a', seq: 1, kinds: ['other'] });
  await heldSince(2);
  serves = false;
  await heldSince(null);
  serves = true;
  await heldSince(2);
  lines.close();
});
