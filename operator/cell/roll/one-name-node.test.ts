import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatefulSet } from '../../resources/manifests.ts';
import { roleName, selectorOf, type Owner, type Role } from '../../resources/owner.ts';
import { cellChildren } from '../../resources/testing.ts';
import type { CellSpec } from '../../types.ts';
import type { PodObject, StatefulSetObject } from '../../world.ts';
import { neededOf } from '../storage-steps.ts';
import { storageRoles } from '../resources/storage.ts';
import type { RollFacts } from './facts.ts';
import { rollGroups } from './members.ts';
import { cedeNameNode } from './name-nodes.ts';
import { rollPlan } from './plan.ts';
import { ROLL_ROLES } from './roles.ts';
import type { StorageFacts } from './storage-gates.ts';
import type { CellWork } from '../steps.ts';

// The sample cell on HDFS, but with one NameNode: what is started, and in which order it is rolled.
let spec: CellSpec | undefined;
const children = await cellChildren('samples-hdfs/cell-c.yaml', (sample) => {
  if (sample.hbase.hdfs) sample.hbase.hdfs.nameNodes.replicas = 1;
  spec = sample;
});
const sets = children.filter((one): one is StatefulSet => one.kind === 'StatefulSet');
const owner: Owner = {
  apiVersion: 'cellpost.dev/v1alpha1',
  kind: 'Cell',
  name: 'c',
  namespace: 'cellpost',
  uid: 'u',
  domain: 'cluster.local',
};
const nameNode = { active: true, safeMode: false, short: 0, missing: 0, leaving: 0, resting: 0 };
const storage: StorageFacts = {
  nameNodes: new Map([['c-nn-0', nameNode]]),
  masters: new Map([
    ['c-hm-0', { active: false, regionsInTransition: 0, regionServers: [] }],
    ['c-hm-1', { active: true, regionsInTransition: 0, regionServers: ['rs-0,16020,1', 'rs-1,16020,1'] }],
  ]),
  wantedRegionServers: 2,
};
const facts: RollFacts = {
  bounds: { maxErrorPercent: 5, maxP99Ms: 2_000 },
  goesBack: [],
  wanted: { zookeeper: 3, appServers: 2 },
  zookeeper: new Map([['c-zk-0', { state: 'leader', syncedFollowers: 2 }]]),
  storage,
  appServers: [],
  discovery: [],
};

/** All that its StatefulSets would make, ready, and of a revision before this. */
const pods: PodObject[] = sets.flatMap(({ metadata, spec: { replicas = 1 } }) => {
  const role = metadata.labels?.['app.kubernetes.io/component'] as Role;
  return Array.from({ length: replicas }, (_, ordinal) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${metadata.name}-${ordinal}`,
      namespace: owner.namespace,
      labels: { ...selectorOf(owner, role), 'controller-revision-hash': 'old' },
    },
    status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  }));
});
const seen = ({ apiVersion, kind, metadata, spec: { replicas = 1 } }: StatefulSet): StatefulSetObject => ({
  apiVersion,
  kind,
  metadata: { ...metadata, generation: 2 },
  spec: { replicas },
  status: { observedGeneration: 2, updateRevision: 'new' },
});
const live = sets.map((set) => seen(set));

test('with one NameNode nothing of a pair is started, and all of it must be there before it is formatted', () => {
  assert.ok(spec);
  assert.deepEqual(
    storageRoles(spec).map(({ role, wanted }) => [role, wanted]),
    [
      ['name-node', 1],
      ['data-node', 3],
      ['hbase-master', 2],
      ['region-server', 2],
      ['hbase-rest', 1],
    ],
  );
  assert.equal(
    live.some(({ metadata }) => metadata.name === roleName(owner, 'journal-node')),
    false,
  );
  const so = { schema: false, replication: 2 };
  assert.equal(neededOf('name-node', 1, { ...so, formatted: false }), 1);
  assert.equal(neededOf('name-node', 1, { ...so, formatted: true }), 1);
});

test('with one NameNode a roll takes it after ZooKeeper and before the DataNodes, with open gates', () => {
  const groups = rollGroups(owner, live, pods, new Date('2026-01-02T00:00:00Z'), facts);
  const gates = ROLL_ROLES.flatMap((role) => role.gates.flatMap((gate) => gate(facts) ?? []));
  assert.deepEqual(gates, []);
  const { order, next } = rollPlan(groups, gates);
  assert.equal(
    order.map(({ member }) => member.name).join(' '),
    'c-zk-2 c-zk-1 c-zk-0 c-nn-0 c-dn-2 c-dn-1 c-dn-0 c-hm-0 c-hm-1 c-rs-1 c-rs-0 c-rest-0 c-app-1 c-app-0',
  );
  assert.equal(next?.member.name, 'c-zk-2');
});

test('the one NameNode has nobody to cede to, and nobody is asked', async () => {
  const work = { world: { outside: { storage: {} } }, context: { owner } } as unknown as CellWork;
  assert.equal(await cedeNameNode(work, 0, storage), undefined);
});

test('while the one NameNode is away or in safe mode, no other pod that serves goes', () => {
  const gate = (nameNodes: StorageFacts['nameNodes']): string | undefined =>
    ROLL_ROLES.find(({ role }) => role === 'name-node')?.gates[0]?.({
      ...facts,
      storage: { ...storage, nameNodes },
    })?.reason;
  assert.equal(gate(storage.nameNodes), undefined);
  assert.equal(gate(new Map()), 'NoActiveNameNode');
  assert.equal(gate(new Map([['c-nn-0', { ...nameNode, safeMode: true }]])), 'SafeMode');
});
