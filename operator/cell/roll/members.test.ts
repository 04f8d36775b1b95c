import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Owner } from '../../resources/owner.ts';
import { TYPES } from '../../runtime/resources.ts';
import type { PodObject, StatefulSetObject } from '../../world.ts';
import { failureOf, rollGroups } from './members.ts';

const START = '2026-01-01T00:00:00Z';
const MINUTE_MS = 60_000;
const after = (minutes: number): Date => new Date(Date.parse(START) + minutes * MINUTE_MS);
const owner: Owner = {
  apiVersion: 'cellpost.dev/v1alpha1',
  kind: 'Cell',
  name: 'a',
  namespace: 'mail',
  uid: 'u',
  domain: 'cluster.local',
};

type Odd = { revision?: string; waiting?: string; scheduled?: string; ready?: string; ending?: boolean };

const pod = (
  name: string,
  { revision = 'new', waiting, scheduled = 'True', ready, ending }: Odd = {},
): PodObject => ({
  apiVersion: 'v1',
  kind: TYPES.pod.kind,
  metadata: {
    name,
    namespace: 'mail',
    creationTimestamp: START,
    ...(ending && { deletionTimestamp: START }),
    labels: {
      'cellpost.dev/cell': 'a',
      'app.kubernetes.io/component': 'app-server',
      'controller-revision-hash': revision,
    },
  },
  status: {
    conditions: [
      { type: 'PodScheduled', status: scheduled },
      { type: 'Ready', status: ready ?? 'False' },
    ],
    containerStatuses: [
      {
        name: 'app-server',
        ready: false,
        state: waiting === undefined ? {} : { waiting: { reason: waiting } },
      },
    ],
  },
});

const set = (generation: number): StatefulSetObject => ({
  apiVersion: 'apps/v1',
  kind: TYPES.statefulSet.kind,
  metadata: { name: 'a-app', namespace: 'mail', generation },
  spec: { replicas: 3 },
  status: { observedGeneration: 2, updateRevision: 'new', currentRevision: 'old' },
});

test('members are outdated by their revision, in the order of their numbers', () => {
  const pods = [
    pod('a-app-10', { revision: 'old' }),
    pod('a-app-2', { ready: 'True' }),
    pod('a-app-1', { ending: true }),
  ];
  const [group] = rollGroups(
    owner,
    [set(2)],
    [...pods, { ...pod('b-app-0'), metadata: { name: 'b-app-0', labels: {} } }],
    after(0),
  );
  assert.equal(group?.settled, true);
  assert.equal(group.wanted, 3);
  assert.deepEqual(
    group.members.map(({ name, outdated, ready, ending }) => ({ name, outdated, ready, ending })),
    [
      { name: 'a-app-1', outdated: false, ready: false, ending: true },
      { name: 'a-app-2', outdated: false, ready: true, ending: false },
      { name: 'a-app-10', outdated: true, ready: false, ending: false },
    ],
  );
  assert.equal(
    rollGroups(owner, [set(3)], pods, after(0))[0]?.settled,
    false,
    'a newer spec was not seen yet',
  );
});

test('a pod fails by what no other try mends, or by taking too long once it was started', () => {
  const failure = (odd: Odd, minutes = 1): string | undefined =>
    failureOf(pod('a-app-0', odd), after(minutes), 10 * MINUTE_MS);
  assert.equal(
    failure({ waiting: 'CrashLoopBackOff' }),
    'Pod a-app-0: container app-server is in CrashLoopBackOff.',
  );
  assert.equal(failure({ waiting: 'ErrImagePull' }), undefined, 'the first failure to pull');
  assert.equal(failure({ waiting: 'CrashLoopBackOff', ending: true }), undefined);
  assert.equal(failure({}, 9), undefined);
  assert.equal(failure({}, 11), 'Pod a-app-0 was not ready within 10 minutes.');
  assert.equal(failure({ ready: 'True' }, 11), undefined);
  assert.equal(failure({ scheduled: 'False' }, 11), undefined, 'no node takes it');
});

test('a pod that is not ready for a moment is not stuck; one that can not run is, at once', () => {
  const stuck = (odd: Odd, minutes: number): boolean | undefined =>
    rollGroups(owner, [set(2)], [pod('a-app-0', odd)], after(minutes))[0]?.members[0]?.stuck;
  assert.equal(stuck({}, 0.4), false);
  assert.equal(stuck({}, 0.6), true);
  assert.equal(stuck({ ready: 'True' }, 0.6), false);
  assert.equal(stuck({ waiting: 'CrashLoopBackOff' }, 0), true);
});
