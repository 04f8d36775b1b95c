import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMonitor } from '../../outside/zookeeper.ts';
import type { RollFacts } from './facts.ts';
import { discoveryGate, storageTrialGate, zookeeperGate } from './gates.ts';

const facts = (more: Partial<RollFacts> = {}): RollFacts => ({
  bounds: { maxErrorPercent: 5, maxP99Ms: 2_000 },
  goesBack: [],
  wanted: { zookeeper: 3, appServers: 2 },
  zookeeper: new Map(),
  appServers: [],
  discovery: [],
  ...more,
});

test('ZooKeeper bears a loss when a leader has all followers in step', () => {
  const leader = (syncedFollowers: number): RollFacts =>
    facts({ zookeeper: new Map([['zk-1', { state: 'leader', syncedFollowers }]]) });
  assert.equal(zookeeperGate(leader(2)), undefined);
  assert.match(zookeeperGate(leader(1))?.message ?? '', /^2 followers .*; 1 are\.$/);
  assert.match(zookeeperGate(facts())?.message ?? '', /no server says that it leads/);
  assert.equal(zookeeperGate(facts({ wanted: { zookeeper: 1, appServers: 1 } })), undefined);
});

test('each process of discovery must see all app servers serve', () => {
  assert.equal(
    discoveryGate(
      facts({
        discovery: [
          ['a', 'b'],
          ['a', 'b'],
        ],
      }),
    ),
    undefined,
  );
  assert.match(discoveryGate(facts({ discovery: [['a', 'b'], ['a']] }))?.message ?? '', /one sees 1\.$/);
  assert.equal(discoveryGate(facts({ discovery: [undefined] }))?.reason, 'DiscoveryAway');
});

test('each server of a new image of the storage must have been ready for a while', () => {
  const watched = (...readySeconds: number[]): string | undefined => {
    const servers = readySeconds.map((seconds, n) => ({ pod: `zk-${n}`, readySeconds: seconds }));
    return storageTrialGate(facts({ storageTrial: { observeSeconds: 30, servers } }))?.message;
  };
  assert.equal(storageTrialGate(facts()), undefined);
  assert.equal(watched(), undefined);
  assert.equal(watched(30, 400), undefined);
  assert.equal(watched(30, 29), 'Pod zk-1 of the new image must have been ready for 30 s.');
});

test('mntr tells who leads, and nothing of a server outside of a quorum', () => {
  assert.deepEqual(parseMonitor('zk_version\t3.8\nzk_server_state\tleader\nzk_synced_followers\t2\n'), {
    state: 'leader',
    syncedFollowers: 2,
  });
  assert.equal(parseMonitor('This ZooKeeper instance is not currently serving requests\n'), undefined);
});
