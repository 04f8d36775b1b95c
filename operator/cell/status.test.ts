import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '../observe.ts';
import { ownerOf } from '../resources/owner.ts';
import type { Cell, CellStatus, Condition } from '../types.ts';
import { cellStatus, type StatusInput } from './status.ts';

const NOW = new Date('2026-11-23T09:00:00.500Z');
const IMAGE = 'registry.test/cellpost:2.0';
const HBASE = 'registry.test/hbase:2.0';
const images = { cellpost: IMAGE, hbase: HBASE, defaultHbase: 'registry.test/hbase:1.0' };
const none = { hbase: {}, cellpost: {} };
const seen = (ready: number, wanted: number, more: Partial<Observed> = {}): Observed => ({
  exists: true,
  replicas: wanted,
  ready,
  summary: `${ready}/${wanted}`,
  upToDate: true,
  ...more,
});
const cell = (status?: CellStatus, spec: Record<string, unknown> = {}): Cell =>
  ({
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Cell',
    metadata: { name: 'a', namespace: 'mail', uid: 'u', generation: 7 },
    spec: {
      state: 'Enabled',
      zookeeper: { replicas: 3 },
      hbase: { storage: 'Local' },
      appServers: { replicas: 2 },
      ...spec,
    },
    ...(status && { status }),
  }) as unknown as Cell;

function statusOf(more: Partial<StatusInput> = {}): CellStatus {
  const of = more.cell ?? cell();
  return cellStatus({
    cell: of,
    owner: ownerOf(of, 'cluster.local'),
    observed: {
      zookeeper: seen(3, 3),
      storage: { hbase: seen(1, 1) },
      hbase: seen(1, 1),
      appServers: seen(2, 2, { image: IMAGE }),
      podTroubles: [],
    },
    reports: [{ name: 'roll', title: 'Roll the pods', outcome: 'done', message: '' }],
    marks: { discovery: { name: 'a', record: 'r' }, images: none },
    images,
    now: NOW,
    ...more,
  });
}

const conditionOf = ({ conditions }: CellStatus, type: string): Condition | undefined =>
  conditions?.find((one) => one.type === type);

test('a cell of which all is there serves, and says which version it runs and can go back to', () => {
  const status = statusOf();
  assert.deepEqual([status.phase, status.nextAction, status.blockedBy], ['Serving', '', '']);
  assert.deepEqual([status.version, status.goodImage, status.observedGeneration], ['2.0', IMAGE, 7]);
  assert.equal(conditionOf(status, 'Ready')?.status, 'True');
  assert.equal(conditionOf(status, 'Paused'), undefined);
});

test('the first image is good when all servers run it; a later one only when the roll says so', () => {
  const good = 'registry.test/cellpost:1.0';
  const marks = { discovery: { name: 'a', record: 'r' }, images: { ...none, cellpost: { good } } };
  const onTrial = statusOf({ marks });
  assert.deepEqual([onTrial.version, onTrial.goodImage], ['2.0', good]);
  const observed = {
    zookeeper: seen(3, 3),
    storage: { hbase: seen(1, 1) },
    hbase: seen(1, 1),
    appServers: seen(1, 2, { image: IMAGE }),
    podTroubles: [],
  };
  assert.equal(statusOf({ observed }).goodImage, undefined);
});

test('the image of ZooKeeper and the storage is good when all of them run it; its default is the cell’s once it can serve', () => {
  const runs = { image: HBASE };
  const observed = (hbase: Observed): StatusInput['observed'] => ({
    zookeeper: seen(3, 3, runs),
    storage: { hbase },
    hbase,
    appServers: seen(2, 2, { image: IMAGE }),
    podTroubles: [],
  });
  assert.equal(statusOf({ observed: observed(seen(0, 1, runs)) }).hbaseImage, undefined);
  assert.equal(statusOf({ observed: observed(seen(1, 1)) }).hbaseImage, undefined, 'not told to run it yet');
  assert.deepEqual(statusOf({ observed: observed(seen(1, 1, runs)) }).hbaseImage, { good: HBASE });
  const serving = statusOf({ marks: { schema: 's', images: { ...none, hbase: { good: 'old' } } } });
  assert.deepEqual(serving.hbaseImage, { default: images.defaultHbase, good: 'old' });
  const later = statusOf({ cell: cell(serving), images: { ...images, defaultHbase: 'of the platform now' } });
  assert.equal(later.hbaseImage?.default, images.defaultHbase);
});

test('a gate that is shut is told as Paused when waiting alone may not help', () => {
  const reports: StatusInput['reports'] = [
    { name: 'roll', title: 'Roll the pods', outcome: 'waiting', message: 'Too many errors.' },
  ];
  const shut = { reason: 'ErrorRate', message: 'Too many errors.', paused: true };
  const marks = { discovery: { name: 'a', record: 'r' }, images: none, shut };
  const status = statusOf({ reports, marks });
  assert.deepEqual([status.nextAction, status.blockedBy], ['Roll the pods', 'Too many errors.']);
  assert.equal(conditionOf(status, 'Paused')?.reason, 'ErrorRate');
  assert.equal(conditionOf(status, 'Ready')?.status, 'True', 'users are served meanwhile');
  assert.equal(status.phase, 'Serving. Roll the pods: Too many errors.');
  const waits = statusOf({ reports, marks: { ...marks, shut: { ...shut, paused: false } } });
  assert.equal(conditionOf(waits, 'Paused'), undefined);
});

test('a version that was rolled back is told until the spec names another', () => {
  const rolledBack = { image: IMAGE, message: 'Pod a-app-1: it crashes.' };
  const record = { name: 'a', record: 'r' };
  const marks = { discovery: record, images: { ...none, cellpost: { rolledBack } } };
  const degraded = conditionOf(statusOf({ marks }), 'Degraded');
  assert.deepEqual([degraded?.status, degraded?.reason], ['True', 'RolledBack']);
  assert.equal(degraded?.message, 'Version 2.0 was rolled back: Pod a-app-1: it crashes.');
  const bad = { image: HBASE, message: 'Pod a-zk-1: it crashes.' };
  const storage = statusOf({ marks: { discovery: record, images: { ...none, hbase: { rolledBack: bad } } } });
  assert.equal(
    conditionOf(storage, 'Degraded')?.message,
    `Image ${HBASE} was rolled back: Pod a-zk-1: it crashes.`,
  );
  assert.deepEqual(storage.hbaseImage?.rolledBack, bad);
});

test('a condition keeps the time at which its status changed', () => {
  const before = statusOf({ now: new Date('2026-11-22T00:00:00Z') });
  const same = statusOf({ cell: cell(before) });
  assert.equal(conditionOf(same, 'Ready')?.lastTransitionTime, '2026-11-22T00:00:00Z');
  const disabled = statusOf({ cell: cell(before, { state: 'Disabled' }) });
  assert.equal(conditionOf(disabled, 'Ready')?.reason, 'Disabled');
  assert.equal(conditionOf(disabled, 'Ready')?.lastTransitionTime, '2026-11-23T09:00:00Z');
});
