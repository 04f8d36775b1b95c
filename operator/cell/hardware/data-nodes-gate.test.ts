import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DataNodeFacts } from '../../outside/storage.ts';
import { dataNodeMayLeave } from './data-nodes-gate.ts';

const GIB = 2 ** 30;
const node = (more: Partial<DataNodeFacts> = {}): DataNodeFacts => ({
  state: 'In Service',
  usedBytes: 2 * GIB,
  freeBytes: 8 * GIB,
  ...more,
});
const leaving = new Set(['c-dn-3']);
const four = (last: Partial<DataNodeFacts> = {}): Map<string, DataNodeFacts> =>
  new Map([
    ['c-dn-0', node()],
    ['c-dn-1', node()],
    ['c-dn-2', node()],
    ['c-dn-3', node(last)],
  ]);

test('a DataNode goes when the NameNode calls it decommissioned, not before', () => {
  const may = (state: string) => dataNodeMayLeave('c-dn-3', four({ state }), leaving, 0);
  assert.deepEqual(may('Decommissioned'), { may: true });
  assert.deepEqual(may('Decommission In Progress'), {
    may: false,
    must: 'All blocks of c-dn-3 must have copies on the DataNodes that stay.',
  });
  assert.equal(may('In Service').may, false);
});

test('where the others have no room, nothing is begun', () => {
  const nodes = four({ usedBytes: 30 * GIB });
  const refused = dataNodeMayLeave('c-dn-3', nodes, leaving, 0);
  assert.deepEqual(refused, {
    may: false,
    refused: true,
    must: 'The DataNodes that stay have room for 21.6 GiB, and 30.0 GiB must move to them.',
  });
});

test('of several that leave, blocks of those that are done are counted no more', () => {
  const nodes = four({ state: 'Decommissioned', usedBytes: 30 * GIB });
  const both = new Set(['c-dn-2', 'c-dn-3']);
  assert.deepEqual(dataNodeMayLeave('c-dn-3', nodes, both, 5), { may: true });
  assert.deepEqual(dataNodeMayLeave('c-dn-2', nodes, both, 5), {
    may: false,
    must: 'The NameNode must have heard that c-dn-2 goes.',
  });
});

test('a DataNode that is dead goes when no block is short of copies', () => {
  const nodes = four();
  nodes.delete('c-dn-3');
  assert.deepEqual(dataNodeMayLeave('c-dn-3', nodes, leaving, 0), { may: true });
  assert.equal(dataNodeMayLeave('c-dn-3', nodes, leaving, 7).may, false);
});
