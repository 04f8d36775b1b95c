import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashKey } from '../hash.ts';
import type { RingMember } from '../ring/ring.ts';
import { BucketMap } from './buckets.ts';
import { Directory } from './directory.ts';
import type { Snapshot } from './directory-messages.ts';

const KEY = 'user:alice';
const { bucket } = hashKey(KEY);
const member = (name: string, state: RingMember['state'] = 'serving'): RingMember => ({
  name,
  url: `http://${name}`,
  state,
  tokens: 64,
  session: name,
  version: 'test',
  pid: 1,
});
const cell = (name: string, ...members: RingMember[]): Snapshot['cells'][number] => ({
  name,
  state: 'Enabled',
  dataCenter: 'here',
  coordination: `local:/${name}`,
  ring: members.length > 0 ? { version: 5, members } : null,
});

function directoryWith(...cells: Snapshot['cells']): Directory {
  const directory = new Directory();
  directory.apply({
    type: 'snapshot',
    mapVersion: 1,
    buckets: BucketMap.empty.with([[bucket, 'a']]).encode(),
    exceptions: [],
    cells,
  });
  return directory;
}

test('a key is where its bucket and the ring of that cell say', () => {
  const directory = directoryWith(cell('a', member('a-0')), cell('b', member('b-0')));
  assert.deepEqual(directory.where(KEY), {
    key: KEY,
    bucket,
    cell: 'a',
    cellState: 'Enabled',
    node: 'a-0',
    url: 'http://a-0',
    mapVersion: 1,
    ringVersion: 5,
  });
  assert.deepEqual(directory.where('user:bob'), { problem: 'unassigned' });
});

test('an exception goes before the bucket, and stops when it is taken back', () => {
  const directory = directoryWith(cell('a', member('a-0')), cell('b', member('b-0')));
  directory.apply({ type: 'exceptions', mapVersion: 2, changes: [[KEY, 'b']] });
  const moved = directory.where(KEY);
  assert.ok(!('problem' in moved));
  assert.equal(moved.node, 'b-0');
  assert.equal(moved.mapVersion, 2);
  directory.apply({ type: 'exceptions', mapVersion: 3, changes: [[KEY, null]] });
  const back = directory.where(KEY);
  assert.equal('node' in back && back.node, 'a-0');
});

test('each reason why nobody serves a key has its name', () => {
  const directory = directoryWith(cell('a'));
  assert.deepEqual(directory.where(KEY), { problem: 'no-node', cell: 'a' });
  directory.apply({ type: 'ring', cell: 'a', ring: { version: 6, members: [member('a-0', 'draining')] } });
  assert.deepEqual(directory.where(KEY), { problem: 'no-node', cell: 'a' });
  directory.apply({ type: 'ring', cell: 'a', ring: { version: 7, members: [member('a-0')] } });
  assert.ok(!('problem' in directory.where(KEY)));
  const { ring: _ring, ...record } = cell('a');
  directory.apply({ type: 'cell', mapVersion: 2, cell: { ...record, state: 'Hibernated' } });
  assert.deepEqual(directory.where(KEY), { problem: 'cell-disabled', cell: 'a', state: 'Hibernated' });
  directory.apply({ type: 'cell', mapVersion: 3, cell: { ...record, state: 'Draining' } });
  assert.ok(!('problem' in directory.where(KEY)), 'a change of the record keeps the ring');
  directory.apply({ type: 'cell-gone', mapVersion: 4, name: 'a' });
  assert.deepEqual(directory.where(KEY), { problem: 'no-node', cell: 'a' });
});

test('a ring of a cell that is not known, and a ping, change nothing', () => {
  const directory = directoryWith(cell('a', member('a-0')));
  directory.apply({ type: 'ring', cell: 'x', ring: { version: 9, members: [member('x-0')] } });
  directory.apply({ type: 'ping' });
  assert.deepEqual(
    directory.cells().map(({ name }) => name),
    ['a'],
  );
  assert.equal(directory.mapVersion, 1);
});
