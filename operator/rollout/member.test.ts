import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cell, CellSpec, CellStatus, Condition, Platform } from '../types.ts';
import { givenBy } from './given.ts';
import { MARK_ANNOTATION, cellMember, platformMember, stateOf, type Mark } from './member.ts';
import type { Rollout } from './types.ts';

const rollout = {
  metadata: { name: 'r', namespace: 'mail', uid: 'this' },
  spec: { version: '2.0' },
} as Rollout;
const mark: Mark = { rollout: 'this', previous: '1.0', at: '2026-11-23T09:00:00Z', back: false };

const condition = (type: string, status: Condition['status'], reason = 'Because'): Condition => ({
  type,
  status,
  reason,
  message: `${type} is ${status}.`,
  lastTransitionTime: '2026-11-23T09:00:00Z',
});

/** A cell that runs 2.0 and serves. */
function cell(more: { spec?: Partial<CellSpec>; status?: Cell['status']; annotation?: string } = {}): Cell {
  const spec = {
    state: 'Enabled',
    version: '2.0',
    dataCenter: 'here',
    appServers: { replicas: 2 },
    ...more.spec,
  };
  return {
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Cell',
    metadata: {
      name: 'a',
      namespace: 'mail',
      generation: 7,
      annotations: { [MARK_ANNOTATION]: more.annotation ?? JSON.stringify(mark) },
    },
    spec: spec as CellSpec,
    status: {
      observedGeneration: 7,
      version: '2.0',
      conditions: [condition('Ready', 'True'), condition('Progressing', 'False')],
      ...more.status,
    },
  };
}

const stateAt = (one: Cell): string => stateOf(cellMember(one, rollout), { version: '2.0' });

test('a cell has reached the version when all that its status says is of the newest spec', () => {
  assert.equal(stateAt(cell()), 'reached');
  assert.equal(stateAt(cell({ status: { observedGeneration: 6 } })), 'rolling');
  assert.equal(stateAt(cell({ status: { version: '1.0' } })), 'rolling');
  assert.equal(stateAt(cell({ status: { goodImage: 'r/cellpost:1.0' } })), 'rolling', 'it is on trial');
  assert.equal(stateAt(cell({ status: { goodImage: 'r/cellpost:2.0' } })), 'reached');
  assert.equal(stateAt(cell({ status: { conditions: [condition('Ready', 'False')] } })), 'rolling');
  assert.equal(stateAt(cell({ status: { conditions: [] } })), 'rolling');
});

test('a cell that shall serve nobody counts without serving', () => {
  const asleep = cell({ spec: { state: 'Hibernated' }, status: { version: '1.0', conditions: [] } });
  assert.equal(stateAt(asleep), 'reached');
  const conditions = [condition('Ready', 'False', 'Disabled'), condition('Progressing', 'False')];
  const disabled = cell({ spec: { state: 'Disabled' }, status: { conditions } });
  assert.equal(stateAt(disabled), 'reached');
  assert.equal(cellMember(disabled, rollout).serves, true);
});

test('what was set by nobody, by another rollout or by hand is told apart', () => {
  const pending = { spec: { version: '1.0' }, status: { version: '1.0' } };
  assert.equal(stateAt(cell({ ...pending, annotation: 'nonsense' })), 'pending');
  assert.equal(stateAt(cell({ ...pending, annotation: 'null' })), 'pending');
  assert.equal(
    stateAt(cell({ ...pending, annotation: JSON.stringify({ ...mark, rollout: 'that' }) })),
    'pending',
  );
  assert.equal(stateAt(cell(pending)), 'changed');
  const back = JSON.stringify({ ...mark, back: true });
  assert.equal(stateAt(cell({ ...pending, annotation: back })), 'back');
  assert.equal(stateAt(cell({ spec: { version: '1.0' }, annotation: back })), 'goingBack');
});

test('a cell that gave the version up by itself is in trouble for good', () => {
  const gaveUp = (image: string): Cell =>
    cell({
      status: {
        conditions: [condition('Degraded', 'True', 'RolledBack')],
        rolledBack: { image, message: 'It crashes.' },
      },
    });
  assert.equal(cellMember(gaveUp('r/cellpost:2.0'), rollout).trouble?.final, true);
  assert.equal(cellMember(gaveUp('r/cellpost:1.9'), rollout).trouble, undefined, 'of an earlier rollout');
  const before = { observedGeneration: 6, conditions: [condition('Degraded', 'True', 'RolledBack')] };
  assert.equal(cellMember(cell({ status: before }), rollout).trouble, undefined, 'of another version');
  const trouble = cell({ status: { conditions: [condition('Degraded', 'True', 'Trouble')] } });
  assert.equal(cellMember(trouble, rollout).trouble?.final, false);
});

const IMAGE = 'r/hbase:2';
const ofImage = { ...rollout, spec: { images: { hbase: IMAGE } } } as Rollout;
const given = givenBy(ofImage.spec);

test('a cell has reached an image of HBase when ZooKeeper and the storage have proven it', () => {
  const asks: Partial<CellSpec> = { images: { hbase: IMAGE } };
  const at = (hbaseImage?: CellStatus['hbaseImage']): string =>
    stateOf(cellMember(cell({ spec: asks, status: { ...(hbaseImage && { hbaseImage }) } }), ofImage), given);
  assert.equal(at(), 'rolling');
  assert.equal(at({ default: 'r/hbase:1', good: 'r/hbase:1' }), 'rolling');
  assert.equal(at({ default: 'r/hbase:1', good: IMAGE }), 'reached');
  assert.equal(stateOf(cellMember(cell(), ofImage), given), 'changed', 'it asks for none');
  assert.equal(stateOf(cellMember(cell({ annotation: 'null' }), ofImage), given), 'pending');
});

test('a cell that goes back to no image of its own is back when it runs its default', () => {
  const back = JSON.stringify({ ...mark, previousHbase: null, back: true });
  const at = (good: string): string => {
    const hbaseImage = { default: 'r/hbase:1', good };
    return stateOf(cellMember(cell({ status: { hbaseImage }, annotation: back }), ofImage), given);
  };
  assert.equal(at(IMAGE), 'goingBack');
  assert.equal(at('r/hbase:1'), 'back');
});

test('a rollout of a version is not blamed for an image that its cell gave up before', () => {
  const status: CellStatus = {
    conditions: [condition('Degraded', 'True', 'RolledBack')],
    hbaseImage: { good: 'r/hbase:1', rolledBack: { image: IMAGE, message: 'It crashes.' } },
  };
  assert.equal(cellMember(cell({ status }), rollout).trouble, undefined);
  assert.equal(cellMember(cell({ status }), ofImage).trouble?.final, true);
});

test('a platform has reached an image when its own ZooKeeper is rolled, and goes back to what it ran', () => {
  const platform = (progressing: 'True' | 'False', images: { hbase?: string }): Platform =>
    ({
      apiVersion: 'cellpost.dev/v1alpha1',
      kind: 'Platform',
      metadata: { name: 'cellpost', namespace: 'mail', generation: 3 },
      spec: { images },
      status: {
        observedGeneration: 3,
        images: { hbase: images.hbase ?? 'r/hbase:1' },
        conditions: [condition('Ready', 'True'), condition('Progressing', progressing)],
      },
    }) as unknown as Platform;
  const before = platformMember(platform('False', {}), ofImage);
  assert.deepEqual([stateOf(before, given), before.asks.hbase], ['pending', 'r/hbase:1']);
  assert.equal(stateOf(platformMember(platform('True', { hbase: IMAGE }), ofImage), given), 'rolling');
  assert.equal(stateOf(platformMember(platform('False', { hbase: IMAGE }), ofImage), given), 'reached');
  assert.equal(platformMember(platform('True', {}), rollout).settled, true, 'a version has its own word');
});
