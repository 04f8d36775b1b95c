import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../log.ts';
import { FeedFollower } from './feed-follower.ts';

test('a cell that the map has shown since the last look counts as unheard', async () => {
  const servers: { cell: string; node: string; url: string }[] = [];
  const follower = new FeedFollower({
    cells: { appServers: () => servers, requestCell: () => Promise.reject(new Error('nobody is asked')) },
    token: 'token',
    logger: createLogger('test', 'silent'),
    kinds: ['friends'],
    onChange: () => undefined,
    isSettled: () => true,
  });
  try {
    assert.equal(follower.isCurrent, true, 'there is nothing to hear');
    servers.push({ cell: 'a', node: 'a-0', url: 'http://127.0.0.1:9' });
    assert.equal(follower.isCurrent, false);
  } finally {
    await follower.close();
  }
});
