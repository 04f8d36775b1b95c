import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClaimObject } from '../../world.ts';
import { volumesPlan, type RoleVolumes } from './volumes-plan.ts';

function claim(name: string, request: string, capacity?: string, message?: string): ClaimObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { resources: { requests: { storage: request } } },
    status: {
      ...(capacity !== undefined && { capacity: { storage: capacity } }),
      ...(message !== undefined && { conditions: [{ type: 'Resizing', status: 'True', message }] }),
    },
  };
}
const role = (asked: string, template: string | undefined, ...claims: ClaimObject[]): RoleVolumes => ({
  role: 'zookeeper',
  asked,
  template,
  claims,
});
const names = ({ grow }: ReturnType<typeof volumesPlan>): string[] =>
  grow.map(({ claim: { metadata } }) => metadata.name);
const NOTHING = { grow: [], remake: [], waitsFor: undefined };

test('volumes of the asked size are left alone, however it is written', () => {
  assert.deepEqual(volumesPlan([role('1024Mi', '1Gi', claim('data-a-zk-0', '1Gi', '1Gi'))]), NOTHING);
  // A driver may give more than was asked for.
  assert.deepEqual(volumesPlan([role('1Gi', '1Gi', claim('data-a-zk-0', '1Gi', '2Gi'))]), NOTHING);
});

test('claims grow first, and only then the StatefulSet is made anew', () => {
  const first = volumesPlan([
    role('2Gi', '1Gi', claim('data-a-zk-0', '1Gi', '1Gi'), claim('data-a-zk-1', '2Gi', '1Gi')),
  ]);
  assert.deepEqual(names(first), ['data-a-zk-0']);
  assert.deepEqual(first.remake, []);
  const second = volumesPlan([
    role(
      '2Gi',
      '1Gi',
      claim('data-a-zk-0', '2Gi', '1Gi', 'the file system grows'),
      claim('data-a-zk-1', '2Gi'),
    ),
  ]);
  assert.deepEqual(second.remake, ['zookeeper']);
  assert.equal(
    second.waitsFor,
    'The volume of data-a-zk-0 must grow from 1Gi to 2Gi (the file system grows).',
  );
});

test('an operator that died after the StatefulSet went has nothing more to do', () => {
  assert.deepEqual(volumesPlan([role('2Gi', undefined, claim('data-a-zk-0', '2Gi', '2Gi'))]), NOTHING);
});

test('a claim that is not bound yet holds nothing up', () => {
  assert.deepEqual(volumesPlan([role('2Gi', '2Gi', claim('data-a-zk-0', '2Gi'))]), NOTHING);
});
