import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cell, CellSpec, Condition } from '../types.ts';
import { MARK_ANNOTATION, cellMember, stateOf, type Mark } from './member.ts';
import type { Rollout } from './types.ts';

const rollout = { metadata: { name: 'r', namespace: 'mail', uid: 'this' } } as Rollout;
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

const stateAt = (one: Cell): string => stateOf(cellMember(one, rollout), '2.0');

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
  const gaveUp = cell({ status: { conditions: [condition('Degraded', 'True', 'RolledBack')] } });
  assert.equal(cellMember(gaveUp, rollout).trouble?.final, true);
  const before = { observedGeneration: 6, conditions: [condition('Degraded', 'True', 'RolledBack')] };
  assert.equal(cellMember(cell({ status: before }), rollout).trouble, undefined, 'of another version');
  const trouble = cell({ status: { conditions: [condition('Degraded', 'True', 'Trouble')] } });
  assert.equal(cellMember(trouble, rollout).trouble?.final, false);
});
