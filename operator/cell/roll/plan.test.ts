import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rollPlan, type RollGroup, type RollMember, type Shut } from './plan.ts';
import { ROLL_ROLES } from './roles.ts';

const member = (name: string, more: Partial<RollMember> = {}): RollMember => ({
  name,
  ordinal: Number(name.slice(name.lastIndexOf('-') + 1)),
  outdated: false,
  ready: true,
  stuck: false,
  ending: false,
  leads: false,
  ...more,
});

function group(role: string, members: RollMember[], more: Partial<RollGroup> = {}): RollGroup {
  const found = ROLL_ROLES.find((one) => one.role === role);
  assert.ok(found);
  return { role: found, wanted: members.length, settled: true, members, ...more };
}

const names = (plan: ReturnType<typeof rollPlan>): string[] => plan.order.map(({ member: { name } }) => name);
const outdated = { outdated: true };

test('nothing is to be done where all pods run what they should', () => {
  assert.deepEqual(rollPlan([group('zookeeper', [member('zk-0')])], []), { order: [] });
});

test('followers go before the leader, ZooKeeper before HBase before app servers', () => {
  const plan = rollPlan(
    [
      group('zookeeper', [
        member('zk-0', outdated),
        member('zk-1', outdated),
        member('zk-2', { outdated: true, leads: true }),
      ]),
      group('hbase', [member('hbase-0', outdated)]),
      group('app-server', [member('app-0', outdated), member('app-1', outdated)]),
    ],
    [],
  );
  assert.deepEqual(names(plan), ['zk-1', 'zk-0', 'zk-2', 'hbase-0', 'app-1', 'app-0']);
  assert.equal(plan.next?.member.name, 'zk-1');
});

test('a stuck pod of an old version goes at once, whatever else is down or shut', () => {
  const gate: Shut = { reason: 'ErrorRate', message: 'Too many.', paused: true };
  const plan = rollPlan(
    [
      group('zookeeper', [member('zk-0', outdated), member('zk-1', { ready: false })], { settled: false }),
      group('app-server', [member('app-0', { outdated: true, ready: false, stuck: true })]),
    ],
    [gate],
  );
  assert.equal(plan.next?.member.name, 'app-0');
});

test('a stuck pod stays while nobody knows whether it is of an old version', () => {
  const stuck = member('app-0', { outdated: true, ready: false, stuck: true });
  const plan = rollPlan([group('app-server', [stuck], { settled: false })], []);
  assert.equal(plan.next, undefined);
  assert.equal(plan.blockedBy?.reason, 'NotSeen');
});

test('a pod that serves waits for each other pod of the cell, and says for which', () => {
  const zookeeper = group('zookeeper', [member('zk-0', outdated)]);
  const cases: [RollGroup, RegExp][] = [
    [group('app-server', [member('app-0', { ready: false })]), /^Pod app-0 must be ready first\.$/],
    [group('app-server', [member('app-0', { ending: true })]), /^Pod app-0 must be ready first\.$/],
    [
      group('app-server', [member('app-0')], { wanted: 2 }),
      /^2 pods of the app servers must be there first; 1 are\.$/,
    ],
    [group('app-server', [member('app-0')], { settled: false }), /must have seen the newest spec/],
  ];
  for (const [other, sentence] of cases) {
    const plan = rollPlan([zookeeper, other], []);
    assert.equal(plan.next, undefined);
    assert.match(plan.blockedBy?.message ?? '', sentence);
  }
});

test('a shut gate keeps a pod that serves', () => {
  const gate: Shut = { reason: 'Latency', message: 'Slow.', paused: true };
  const plan = rollPlan([group('app-server', [member('app-0', outdated)])], [gate]);
  assert.equal(plan.next, undefined);
  assert.deepEqual(plan.blockedBy, gate);
});

/** Any state of a cell's pods, odd ones too. */
const anyMember = fc
  .record({
    outdated: fc.boolean(),
    ready: fc.boolean(),
    stuck: fc.boolean(),
    ending: fc.boolean(),
    leads: fc.boolean(),
  })
  .filter(({ ready, stuck }) => !ready || !stuck);
const anyCell = fc
  .tuple(...['zookeeper', 'hbase', 'app-server'].map(() => fc.array(anyMember, { maxLength: 5 })))
  .map((roles) =>
    roles.map((members, index) =>
      group(
        ['zookeeper', 'hbase', 'app-server'][index] ?? '',
        members.map((one, ordinal) => member(`${index}-${ordinal}`, one)),
      ),
    ),
  );

test('whatever the state: nothing that serves goes while anything is down, and stuck pods go first', () => {
  fc.assert(
    fc.property(anyCell, (groups) => {
      const all = groups.flatMap(({ members }) => members);
      const { next, order } = rollPlan(groups, []);
      const stuck = all.some(({ outdated, stuck, ending }) => outdated && stuck && !ending);
      if (stuck) assert.equal(next?.member.stuck, true);
      if (next && !next.member.stuck) assert.ok(all.every(({ ready, ending }) => ready && !ending));
      assert.equal(new Set(order).size, all.filter((one) => one.outdated && !one.ending).length);
    }),
  );
});

test('from any state the plan ends with all pods new, and never takes away a second pod or the quorum', () => {
  fc.assert(
    fc.property(anyCell, fc.infiniteStream(fc.nat()), (start, choices) => {
      let groups = start;
      const pods = groups.flatMap(({ members }) => members).length;
      let deletions = 0;
      // Each turn the plan acts, then the world makes one step: a pod ends, comes back, or becomes ready.
      for (let turn = 0; turn < 12 * pods + 12; turn++) {
        const { next } = rollPlan(groups, []);
        if (next) {
          deletions++;
          const servingBefore = serving(groups);
          groups = change(groups, next.member.name, { ending: true, ready: false, stuck: false });
          if (!next.member.stuck) assert.equal(serving(groups), servingBefore - 1);
          const away = groups
            .flatMap(({ members }) => members)
            .filter(({ ready, ending }) => !ready || ending);
          if (!next.member.stuck) assert.equal(away.length, 1);
        }
        const restless = groups
          .flatMap(({ members }) => members)
          .filter(({ ready, ending }) => !ready || ending);
        const pick = restless[(choices.next().value ?? 0) % Math.max(restless.length, 1)];
        if (pick)
          groups = change(
            groups,
            pick.name,
            pick.ending
              ? { ending: false, ready: false, outdated: false, leads: false }
              : { ready: true, stuck: false },
          );
      }
      const left = groups.flatMap(({ members }) => members).filter((one) => one.outdated || !one.ready);
      assert.deepEqual(left, []);
      assert.ok(deletions <= pods);
    }),
  );
});

const serving = (groups: RollGroup[]): number =>
  groups.flatMap(({ members }) => members).filter(({ ready, ending }) => ready && !ending).length;

const change = (groups: RollGroup[], name: string, to: Partial<RollMember>): RollGroup[] =>
  groups.map((one) => ({
    ...one,
    members: one.members.map((old) => (old.name === name ? { ...old, ...to } : old)),
  }));
