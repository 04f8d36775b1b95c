import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMembers } from './zookeeper-members.ts';

test('members are read from a configuration, observers are none', () => {
  const config = [
    'server.3=a-zk-2.a-zk.mail.svc.cluster.local:2888:3888:participant;0.0.0.0:2181',
    'server.1=a-zk-0.a-zk.mail.svc.cluster.local:2888:3888:participant;0.0.0.0:2181',
    'server.2=a-zk-1.a-zk.mail.svc.cluster.local:2888:3888:participant',
    'server.4=a-zk-3.a-zk.mail.svc.cluster.local:2888:3888:observer;0.0.0.0:2181',
    'version=100000003',
  ].join('\n');
  assert.deepEqual(parseMembers(config), [1, 2, 3]);
});
