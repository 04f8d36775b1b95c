import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { givenBy } from './given.ts';
import { stateOf, type Mark, type Member } from './member.ts';
import { iso, planRollout, type Memory, type Plan } from './plan.ts';
import { stagesOf } from './stages.ts';
import type { RolloutSpec } from './types.ts';

const START = Date.parse('2026-11-23T09:00:00Z');
const SPEC: RolloutSpec = {
  platform: { name: 'cellpost' },
  version: '2.0',
  bakeSeconds: 60,
  maxUnavailableCells: 1,
  gates: {
    degradedSeconds: 60,
    cellDeadlineSeconds: 600,
    maxErrorPercent: 5,
    maxP99Ms: 2_000,
    onFailure: 'Rollback',
  },
  paused: false,
  abort: false,
};

const member = (name: string, more: Partial<Member> = {}): Member => ({
  kind: 'cell',
  title: `cell ${name}`,
  name,
  labels: {},
  dataCenter: 'here',
  asks: { version: '1.0' },
  mark: undefined,
  settled: true,
  serves: true,
  trouble: undefined,
  object: { apiVersion: 'cellpost.dev/v1alpha1', kind: 'Cell', metadata: { name } },
  ...more,
});
const platform = (): Member => member('cellpost', { kind: 'platform', title: 'the platform' });
const fleet = (count: number): Member[] =>
  Array.from({ length: count }, (_, i) => member(`c${String(i).padStart(2, '0')}`));

/** A fleet in memory that does what a plan says, at times that a test chooses. */
class Fleet {
  readonly members: Member[];
  nowMs = START;
  memory: Memory = {};

  constructor(cells: Member[], withPlatform = true) {
    this.members = [...cells, ...(withPlatform ? [platform()] : [])];
  }

  cells(): Member[] {
    return this.members.filter(({ kind }) => kind === 'cell');
  }

  plan(spec: RolloutSpec): Plan {
    const observed = {
      cells: this.cells(),
      platform: this.members.find(({ kind }) => kind === 'platform'),
    };
    return planRollout(spec, observed, this.memory, new Date(this.nowMs));
  }

  /** One reconcile; `crash`: before anything was pushed, or after, or it did not happen. */
  reconcile(spec: RolloutSpec, crash: 'before' | 'after' | 'never' = 'never'): Plan {
    const plan = this.plan(spec);
    if (crash === 'before') return plan;
    this.memory = { stages: plan.stages, failure: plan.failure };
    for (const [index, one] of plan.push.entries()) {
      if (crash === 'after' && index > 0) break;
      this.#push(one, spec, plan.goesBack);
    }
    return plan;
  }

  #push(one: Member, spec: RolloutSpec, goesBack: boolean): void {
    const at = iso(new Date(this.nowMs));
    const mark: Mark =
      goesBack && one.mark
        ? { ...one.mark, back: true, at }
        : { rollout: 'r', previous: one.asks.version ?? null, back: false, at };
    const version = goesBack ? (one.mark?.previous ?? undefined) : spec.version;
    this.change(one.name, { mark, asks: { version }, settled: false });
  }

  change(name: string, more: Partial<Member>): void {
    const index = this.members.findIndex((one) => one.name === name);
    assert.ok(index >= 0);
    this.members[index] = { ...(this.members[index] as Member), ...more };
  }

  settle(name?: string): void {
    for (const one of this.members)
      if (name === undefined || one.name === name) this.change(one.name, { settled: true, serves: true });
  }

  states(given = givenBy(SPEC)): Record<string, string> {
    return Object.fromEntries(this.members.map((one) => [one.name, stateOf(one, given)]));
  }
}

const names = (members: readonly Member[]): string[] => members.map(({ name }) => name);

test('stages: canaries by name and label, the platform, waves by percentage and data center, the rest', () => {
  const cells = [
    ...fleet(8),
    member('e0', { dataCenter: 'east' }),
    member('e1', { dataCenter: 'east', labels: { canary: 'yes' } }),
  ];
  const spec: RolloutSpec = {
    ...SPEC,
    canary: { cells: ['c07'], selector: { matchLabels: { canary: 'yes' } } },
    waves: [{ percent: 100, dataCenters: ['east'] }, { percent: 50 }, { percent: 50 }],
  };
  const stages = stagesOf(spec, cells, platform()).map(({ name, members }) => [name, names(members).join()]);
  assert.deepEqual(stages, [
    ['canary', 'c07,e1'],
    ['platform', 'cellpost'],
    ['wave-1', 'e0'],
    ['wave-2', 'c00,c01'],
    ['rest', 'c02,c03,c04,c05,c06'],
  ]);
});

test('the canary bakes, then the services, then the waves; nothing is touched meanwhile', () => {
  const spec = { ...SPEC, canary: { cells: ['c02'] }, waves: [{ percent: 60 }] };
  const world = new Fleet(fleet(3));
  assert.deepEqual(names(world.reconcile(spec).push), ['c02']);
  assert.deepEqual(world.reconcile(spec).push, []);
  assert.match(world.plan(spec).blockedBy, /^cell c02 must run 2\.0 without trouble\.$/);
  world.settle();
  const baking = world.reconcile(spec);
  assert.deepEqual([baking.push, baking.blockedBy], [[], 'It bakes until 2026-11-23T09:01:00Z.']);
  assert.equal(baking.againInMs, 60_000);
  world.nowMs += 59_000;
  assert.deepEqual(world.reconcile(spec).push, []);
  world.nowMs += 1_000;
  assert.deepEqual(names(world.reconcile(spec).push), ['cellpost']);
  world.settle();
  world.reconcile(spec);
  world.nowMs += 60_000;
  assert.deepEqual(names(world.reconcile(spec).push), ['c00']);
  world.settle();
  world.reconcile(spec);
  world.nowMs += 60_000;
  const rest = world.reconcile(spec);
  assert.deepEqual([rest.stage, names(rest.push)], ['rest', ['c01']]);
  world.settle();
  world.reconcile(spec);
  world.nowMs += 60_000;
  assert.equal(world.reconcile(spec).outcome, 'Complete');
});

test('a stage that is not good for a moment bakes from the beginning', () => {
  const world = new Fleet(fleet(1), false);
  world.reconcile(SPEC);
  world.settle();
  world.reconcile(SPEC);
  world.nowMs += 50_000;
  world.change('c00', { settled: false });
  assert.equal(world.reconcile(SPEC).stages[0]?.readySince, undefined);
  world.settle();
  world.reconcile(SPEC);
  world.nowMs += 50_000;
  assert.equal(world.reconcile(SPEC).outcome, undefined);
  world.nowMs += 10_000;
  assert.equal(world.reconcile(SPEC).outcome, 'Complete');
});

test('a cell that is away for other reasons counts, and gets the version without a place of its own', () => {
  const world = new Fleet(fleet(3), false);
  world.change('c01', { serves: false, settled: false });
  const plan = world.plan(SPEC);
  assert.deepEqual(names(plan.push), ['c01']);
  world.change('c01', {
    trouble: { message: 'No node takes it.', since: iso(new Date(START)), final: false },
  });
  const held = world.plan(SPEC);
  assert.deepEqual(held.push, []);
  assert.match(held.blockedBy, /^At most 1 cells may be away at once; cell c01 is not back yet\.$/);
});

const trouble = (atMs: number, final = false) => ({
  message: 'Pod x: container y is in CrashLoopBackOff.',
  since: iso(new Date(atMs)),
  final,
});

test('a degraded canary takes everything back after its time, at once when the cell gave the version up', () => {
  for (const final of [false, true]) {
    const spec = { ...SPEC, canary: { cells: ['c00'] } };
    const world = new Fleet(fleet(3));
    world.reconcile(spec);
    world.nowMs += 10_000;
    world.change('c00', { serves: false, trouble: trouble(world.nowMs, final) });
    if (!final) {
      assert.equal(world.reconcile(spec).failure, undefined);
      world.nowMs += 60_000;
    }
    const plan = world.reconcile(spec);
    assert.match(plan.failure?.message ?? '', /^Cell c00 is degraded at 2\.0: Pod x/);
    assert.deepEqual([plan.goesBack, names(plan.push)], [true, ['c00']]);
    // It recovers: that does not turn the rollout round again.
    world.change('c00', { trouble: undefined });
    world.settle();
    assert.equal(world.reconcile(spec).outcome, 'RolledBack');
    assert.deepEqual(world.states(), { c00: 'back', c01: 'pending', c02: 'pending', cellpost: 'pending' });
    assert.equal(world.cells()[0]?.asks.version, '1.0');
  }
});

test('a cell that gave an earlier version up gets the next one; one in other trouble is left alone', () => {
  const world = new Fleet(fleet(1), false);
  world.change('c00', { trouble: trouble(START, true) });
  assert.deepEqual(names(world.plan(SPEC).push), ['c00']);
  world.change('c00', { trouble: trouble(START) });
  const plan = world.plan(SPEC);
  assert.deepEqual([plan.push, plan.held?.reason, plan.failure], [[], 'Unhealthy', undefined]);
});

test('the last stage goes back first; who does not serve at once, others few at a time', () => {
  const spec = {
    ...SPEC,
    bakeSeconds: 0,
    maxUnavailableCells: 2,
    canary: { cells: ['c00'] },
  };
  const world = new Fleet(fleet(5));
  for (let i = 0; i < 20 && Object.values(world.states()).includes('pending'); i++) {
    world.reconcile(spec);
    world.settle();
  }
  world.change('c03', { settled: false, serves: false, trouble: trouble(world.nowMs, true) });
  assert.deepEqual(names(world.reconcile(spec).push), ['c01', 'c02', 'c03']);
  world.settle('c01');
  world.settle('c03');
  assert.deepEqual(names(world.reconcile(spec).push), ['c04']);
  world.settle();
  assert.deepEqual(names(world.reconcile(spec).push), ['cellpost']);
  world.settle();
  assert.deepEqual(names(world.reconcile(spec).push), ['c00']);
  world.settle();
  assert.equal(world.reconcile(spec).outcome, 'RolledBack');
});

test('a cell that does not get there in time is a failure, and one that does not get back holds up nobody', () => {
  const spec = { ...SPEC, bakeSeconds: 0, maxUnavailableCells: 1 };
  const world = new Fleet(fleet(2), false);
  world.reconcile(spec);
  world.settle();
  world.reconcile(spec);
  world.nowMs += 600_000;
  assert.match(world.reconcile(spec).failure?.message ?? '', /^Cell c01 did not get to 2\.0 within 600 s\.$/);
  assert.equal(world.states().c00, 'goingBack');
  world.nowMs += 600_000;
  world.reconcile(spec);
  assert.equal(world.states().c01, 'goingBack');
  world.settle('c01');
  assert.equal(world.reconcile(spec).outcome, 'RolledBack');
});

test('what somebody else has changed stops the rollout, with a sentence', () => {
  const world = new Fleet(fleet(2), false);
  world.reconcile(SPEC);
  world.change('c00', { asks: { version: '1.5' } });
  const plan = world.reconcile(SPEC);
  assert.equal(plan.held?.reason, 'ChangedByOthers');
  assert.match(plan.blockedBy, /^Somebody else has set cell c00 to 1\.5; set it to 2\.0 again, or abort/);
  assert.deepEqual(plan.push, []);
});

test('paused, nothing is touched, forward or back; aborted, it is over', () => {
  const paused = { ...SPEC, paused: true };
  const world = new Fleet(fleet(2), false);
  assert.deepEqual(world.reconcile(paused).push, []);
  assert.deepEqual(names(world.reconcile(SPEC).push), ['c00']);
  world.change('c00', { trouble: trouble(world.nowMs, true) });
  const back = world.reconcile(paused);
  assert.ok(back.failure);
  assert.deepEqual(back.push, []);
  assert.equal(world.reconcile({ ...SPEC, abort: true }).outcome, 'Aborted');
  assert.equal(world.states().c00, 'rolling');
});

test('with onFailure Pause it waits for the version to be good again', () => {
  const spec = { ...SPEC, gates: { ...SPEC.gates, onFailure: 'Pause' as const } };
  const world = new Fleet(fleet(2), false);
  world.reconcile(spec);
  world.change('c00', { trouble: trouble(world.nowMs, true) });
  const plan = world.reconcile(spec);
  assert.deepEqual([plan.held?.reason, plan.failure, plan.push], ['Failed', undefined, []]);
  world.change('c00', { trouble: undefined });
  world.settle();
  assert.equal(world.reconcile(spec).held, undefined);
});

test('bad answers hold the rollout and make the stage bake anew; for too long, they take the version back', () => {
  const spec = { ...SPEC, canary: { cells: ['c00'] } };
  const bad = { badAnswers: 'more than 5 % of the deliveries to c00-app-0 fail.' };
  const start = (): Fleet => {
    const world = new Fleet(fleet(2), false);
    world.reconcile(spec);
    world.settle();
    world.reconcile(spec);
    world.nowMs += 59_000;
    world.change('c00', bad);
    return world;
  };
  const world = start();
  const held = world.reconcile(spec);
  assert.deepEqual([held.held?.reason, held.push, held.failure], ['Metrics', [], undefined]);
  assert.equal(held.blockedBy, `Cell c00 answers badly at 2.0: ${bad.badAnswers}`);
  assert.equal(held.stages[0]?.shutSince, iso(new Date(world.nowMs)));
  world.nowMs += 30_000;
  world.change('c00', { badAnswers: undefined });
  const again = world.reconcile(spec);
  assert.deepEqual([again.held, again.push, again.stages[0]?.shutSince], [undefined, [], undefined]);
  world.nowMs += 60_000;
  assert.deepEqual(names(world.reconcile(spec).push), ['c01']);

  for (const onFailure of ['Rollback', 'Pause'] as const) {
    const other = start();
    const choice = { ...spec, gates: { ...spec.gates, onFailure } };
    other.reconcile(choice);
    other.nowMs += 60_000;
    const plan = other.reconcile(choice);
    assert.deepEqual(names(plan.push), onFailure === 'Rollback' ? ['c00'] : []);
    assert.match(plan.failure?.message ?? plan.held?.message ?? '', /^Cell c00 answers badly at 2\.0/);
    assert.equal(plan.held?.reason, onFailure === 'Rollback' ? undefined : 'Failed');
  }
});

test('cells that answer badly behind new services keep the services from passing', () => {
  const spec = { ...SPEC, bakeSeconds: 0, canary: { cells: ['c00'] } };
  const world = new Fleet(fleet(2));
  world.reconcile(spec);
  world.settle();
  world.reconcile(spec);
  world.settle();
  world.change('c00', { badAnswers: 'c00-app-0 does not tell how it answers.' });
  const plan = world.reconcile(spec);
  assert.deepEqual([plan.held?.reason, plan.push, plan.stages[1]?.bakedAt], ['Metrics', [], undefined]);
});

// A step of a story: what happens next, to whom, and whether the operator crashes at the next reconcile.
const step = fc.record({
  who: fc.nat(),
  what: fc.constantFrom('settle', 'settle', 'settleAll', 'falter', 'recover', 'wait', 'forget'),
  crash: fc.constantFrom('never', 'never', 'before', 'after'),
});
const story = fc.record({
  cells: fc.integer({ min: 0, max: 7 }),
  limit: fc.integer({ min: 1, max: 3 }),
  canaries: fc.nat(2),
  waves: fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 3 }),
  fails: fc.boolean(),
  steps: fc.array(step, { maxLength: 60 }),
});

test('whatever happens, few cells are away at once, stages keep their order, and it ends', () => {
  fc.assert(
    fc.property(story, ({ cells, limit, canaries, waves, fails, steps }) => {
      const world = new Fleet(fleet(cells));
      const spec: RolloutSpec = {
        ...SPEC,
        maxUnavailableCells: limit,
        canary: { cells: names(world.cells().slice(0, canaries)) },
        waves: waves.map((percent) => ({ percent })),
      };
      const away = (): number =>
        world.cells().filter((cell) => stateOf(cell, givenBy(spec)) === 'rolling' || !cell.serves).length;
      const reconcile = (crash: 'before' | 'after' | 'never'): Plan => {
        const before = away();
        const plan = world.reconcile(spec, crash);
        if (!plan.goesBack) {
          assert.ok(away() <= Math.max(limit, before), `${away()} are away`);
          const first = plan.stages.findIndex(({ bakedAt }) => bakedAt === undefined);
          const open = stagesOf(spec, world.cells(), world.members.at(-1)).slice(0, first + 1);
          for (const { name } of first < 0 ? [] : plan.push)
            assert.ok(
              open.some((stage) => names(stage.members).includes(name)),
              `${name} is not due yet`,
            );
        }
        return plan;
      };
      for (const { who, what, crash } of steps) {
        const one = world.members[who % world.members.length] as Member;
        if (what === 'settle') world.settle(one.name);
        if (what === 'settleAll') world.settle();
        if (what === 'falter' && fails && one.mark && !one.mark.back)
          world.change(one.name, { serves: false, settled: false, trouble: trouble(world.nowMs) });
        if (what === 'recover') world.change(one.name, { trouble: undefined });
        if (what === 'wait') world.nowMs += 45_000;
        // A status that was never written: what began to bake begins again.
        if (what === 'forget') world.memory = { failure: world.memory.failure };
        if (reconcile(crash).outcome) break;
      }
      // From now on all is well.
      for (const { name } of world.members) world.change(name, { trouble: undefined });
      let outcome: Plan['outcome'];
      for (let i = 0; i < 200 && !outcome; i++) {
        outcome = reconcile('never').outcome;
        if (outcome) break;
        world.settle();
        world.nowMs += 61_000;
      }
      const states = Object.values(world.states());
      if (world.memory.failure) {
        assert.equal(outcome, 'RolledBack');
        assert.ok(
          states.every((state) => state === 'back' || state === 'pending'),
          states.join(),
        );
        assert.ok(world.members.every(({ asks }) => asks.version === '1.0'));
      } else {
        assert.equal(outcome, 'Complete');
        assert.ok(
          states.every((state) => state === 'reached'),
          states.join(),
        );
      }
    }),
    { numRuns: 500 },
  );
});
