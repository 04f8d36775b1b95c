// What the followers of discovery and of change feeds say of themselves: an outage is none of their illnesses.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { ClockAhead } from '../../../test/support/clock-ahead.ts';
import { until } from '../../../test/support/wait.ts';
import { FeedFollower } from '../changes/feed-follower.ts';
import { createLogger } from '../log.ts';
import { DirectoryFollower } from './follower.ts';

const WAIT = { timeoutMs: 20_000, intervalMs: 10 };
const LONG_MS = 90_000;
const common = { token: 'a token of tests', logger: createLogger('test', 'silent') };

/** Takes requests, and answers when it is told to. */
async function startSilent(t: TestContext): Promise<{ url: string; waiting: ServerResponse[] }> {
  const waiting: ServerResponse[] = [];
  const server = createServer((_request, response) => void waiting.push(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`, waiting };
}

test('a follower of discovery is well while it tries, whatever comes of that, and not when it stands still', async (t) => {
  const { url, waiting } = await startSilent(t);
  const clock = new ClockAhead();
  const follower = new DirectoryFollower({ ...common, discoveryUrl: url, clock });
  t.after(() => follower.close());
  await until(() => waiting.length === 1, WAIT);
  assert.equal(follower.health(), true);
  clock.aheadMs += LONG_MS;
  assert.match(String(follower.health()), /^following discovery has not gone on for 9\d s$/);
  // It gives that try up and begins another.
  await until(() => follower.health() === true, WAIT);
  assert.equal(follower.known, false);
});

test('a follower of change feeds is well while it tries each of them, and not when it stands still at one', async (t) => {
  const { url, waiting } = await startSilent(t);
  const clock = new ClockAhead();
  const follower = new FeedFollower({
    ...common,
    cells: {
      appServers: () => [{ cell: 'a', url }],
      // It answers at its end only.
      requestCell: (_cell, { signal }) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('over')))),
    },
    kinds: ['friends'],
    onChange: () => undefined,
    isSettled: () => true,
    clock,
  });
  t.after(() => follower.close());
  await until(() => waiting.length === 1, WAIT);
  assert.equal(follower.health(), true);
  clock.aheadMs += LONG_MS;
  assert.match(String(follower.health()), /^following http:\S+ has not gone on for 9\d s$/);
  await until(() => waiting.length === 2, WAIT);
  assert.equal(follower.health(), true);
  const hello = { type: 'hello', instance: 'one', number: 1, resumed: false, timeMs: 0, heldSince: 0 };
  const ping = { type: 'ping', number: 1, timeMs: 0, heldSince: 0 };
  waiting[1]?.write(`${JSON.stringify(hello)}\n`);
  const pings = setInterval(() => waiting[1]?.write(`${JSON.stringify(ping)}\n`), 100);
  t.after(() => clearInterval(pings));
  // The cell is asked what has changed, and there is no end of it, which only a fault of ours can make.
  await until(() => {
    clock.aheadMs += LONG_MS;
    return new Promise<boolean>((resolve) =>
      setTimeout(
        () => resolve(String(follower.health()).startsWith('asking what has changed in a has')),
        300,
      ),
    );
  }, WAIT);
});
