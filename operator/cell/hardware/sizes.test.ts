import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CellSpec } from '../../types.ts';
import { specNow, type Seen } from './sizes.ts';

const resources = { limits: { memory: '1Gi' } };
const stored = (replicas: number) => ({ replicas, resources, volume: { size: '5Gi' } });
const asked: CellSpec = {
  state: 'Enabled',
  dataCenter: 'default',
  platform: { name: 'cellpost' },
  zookeeper: { replicas: 3, storage: { size: '1Gi' }, resources },
  hbase: {
    storage: 'HDFS',
    hdfs: { replication: 2, nameNodes: stored(2), journalNodes: stored(3), dataNodes: stored(3) },
    masters: 2,
    regionServers: 3,
    volume: { size: '10Gi' },
    regions: 4,
    master: { resources },
    regionServer: { resources },
    rest: { resources },
  },
  appServers: { replicas: 3, tokens: 64, cacheBytes: 1, resources },
  rollout: {
    paused: false,
    gates: { maxErrorPercent: 5, maxP99Ms: 2000, minRequests: 200, observeSeconds: 30, readyMinutes: 10 },
  },
};
const NOTHING: Seen = {
  pods: { 'app-server': 0, 'region-server': 0, 'hbase-master': 0, 'data-node': 0, zookeeper: 0 },
  volumes: {},
  members: undefined,
};
const seen = (more: Partial<Seen>): Seen => ({ ...NOTHING, ...more });

test('a new cell, or one that grows, is built as its spec says', () => {
  const now = specNow(asked, NOTHING);
  assert.deepEqual(now, { ...asked, zookeeper: { ...asked.zookeeper, servers: 3 } });
  const fewer = seen({ pods: { ...NOTHING.pods, 'app-server': 1, 'data-node': 2 } });
  assert.equal(specNow(asked, fewer).appServers.replicas, 3);
  assert.equal(specNow(asked, fewer).hbase.hdfs?.dataNodes.replicas, 3);
});

test('servers that are too many stay until they have been taken away', () => {
  const pods = { 'app-server': 5, 'region-server': 4, 'hbase-master': 3, 'data-node': 6, zookeeper: 5 };
  const now = specNow(asked, seen({ pods, members: 5 }));
  assert.equal(now.appServers.replicas, 5);
  assert.equal(now.hbase.regionServers, 4);
  assert.equal(now.hbase.masters, 3);
  assert.equal(now.hbase.hdfs?.dataNodes.replicas, 6);
  assert.deepEqual([now.zookeeper.replicas, now.zookeeper.servers], [5, 5]);
});

test('ZooKeeper has as many members as were recorded, and runs those that come and those that go', () => {
  const five = { ...asked, zookeeper: { ...asked.zookeeper, replicas: 5 } };
  const grows = specNow(five, seen({ pods: { ...NOTHING.pods, zookeeper: 3 }, members: 3 }));
  assert.deepEqual([grows.zookeeper.replicas, grows.zookeeper.servers], [3, 5]);
  const left = specNow(asked, seen({ pods: { ...NOTHING.pods, zookeeper: 5 }, members: 3 }));
  assert.deepEqual([left.zookeeper.replicas, left.zookeeper.servers], [3, 5]);
});

test('volumes are of the size that their StatefulSet says until it is made anew', () => {
  const larger = { ...asked, zookeeper: { ...asked.zookeeper, storage: { size: '2Gi', className: 'fast' } } };
  const now = specNow(larger, seen({ volumes: { zookeeper: '1Gi', 'data-node': '4Gi' } }));
  assert.deepEqual(now.zookeeper.storage, { size: '1Gi', className: 'fast' });
  assert.equal(now.hbase.hdfs?.dataNodes.volume.size, '4Gi');
  assert.equal(now.hbase.hdfs?.nameNodes.volume.size, '5Gi');
});
