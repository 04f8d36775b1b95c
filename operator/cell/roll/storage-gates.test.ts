import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RollFacts } from './facts.ts';
import { ROLL_ROLES } from './roles.ts';
import { hbaseGate, hdfsGate, type StorageFacts } from './storage-gates.ts';

const standby = { active: false, safeMode: false, short: 0, missing: 0, leaving: 0, resting: 0 };
const active = { ...standby, active: true };
const servers = ['a-rs-0,16020,1', 'a-rs-1,16020,2'];
const ruling = { active: true, regionsInTransition: 0, regionServers: servers };
const well: StorageFacts = {
  nameNodes: new Map([
    ['a-nn-0', standby],
    ['a-nn-1', active],
  ]),
  masters: new Map([
    ['a-hm-0', ruling],
    ['a-hm-1', { active: false, regionsInTransition: 0, regionServers: [] }],
  ]),
  wantedRegionServers: 2,
};
const withNameNode = (change: object): StorageFacts => ({
  ...well,
  nameNodes: new Map([['a-nn-1', { ...active, ...change }]]),
});
const withMaster = (change: object): StorageFacts => ({
  ...well,
  masters: new Map([['a-hm-0', { ...ruling, ...change }]]),
});

test('the gates of a storage that is well are open', () => {
  assert.equal(hdfsGate(well), undefined);
  assert.equal(hbaseGate(well), undefined);
});

test('no pod goes while HDFS has no active NameNode, is in safe mode, or lacks copies of blocks', () => {
  assert.equal(hdfsGate({ ...well, nameNodes: new Map() })?.reason, 'NoActiveNameNode');
  assert.equal(hdfsGate({ ...well, nameNodes: new Map([['a-nn-0', standby]]) })?.reason, 'NoActiveNameNode');
  assert.equal(hdfsGate(withNameNode({ safeMode: true }))?.reason, 'SafeMode');
  assert.equal(hdfsGate(withNameNode({ short: 3 }))?.reason, 'ShortOfCopies');
});

test('missing blocks pause a roll: waiting alone does not bring them back', () => {
  assert.deepEqual(hdfsGate(withNameNode({ missing: 1, short: 3 })), {
    reason: 'MissingBlocks',
    message: 'No block of HDFS may be missing; some are.',
    paused: true,
  });
});

test('no pod goes while HBase has no active master, lacks a region server, or moves regions', () => {
  assert.equal(hbaseGate(withMaster({ active: false }))?.reason, 'NoActiveMaster');
  assert.equal(hbaseGate(withMaster({ regionServers: servers.slice(1) }))?.reason, 'RegionServersMissing');
  assert.equal(hbaseGate(withMaster({ regionsInTransition: 1 }))?.reason, 'RegionsInTransition');
});

test('the active NameNode and the active master lead, so that they go last', () => {
  const facts: RollFacts = {
    bounds: { maxErrorPercent: 1, maxP99Ms: 1_000 },
    goesBack: [],
    wanted: { zookeeper: 3, appServers: 2 },
    storage: well,
    appServers: [],
    discovery: [],
  };
  const leading = (role: string): string[] =>
    ['a-nn-0', 'a-nn-1', 'a-hm-0', 'a-hm-1'].filter((pod) =>
      ROLL_ROLES.find((one) => one.role === role)?.leads(pod, facts),
    );
  assert.deepEqual(leading('name-node'), ['a-nn-1']);
  assert.deepEqual(leading('hbase-master'), ['a-hm-0']);
  assert.deepEqual(leading('data-node'), []);
});
