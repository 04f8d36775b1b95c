import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Shut } from '../roll/plan.ts';
import { shrinkPlan, type Excess } from './shrink-plan.ts';

const excess = (role: Excess['role'], more: Partial<Excess> = {}): Excess => ({
  role,
  pods: 3,
  wanted: 2,
  lastIsStuck: false,
  ...more,
});
const shut: Shut = { reason: 'PodNotReady', message: 'Pod a-zk-0 must be ready first.', paused: false };

test('nothing goes where nothing is too many', () => {
  assert.deepEqual(shrinkPlan([], undefined, []), {});
  assert.deepEqual(shrinkPlan([], shut, [shut]), {});
});

test('app servers go before region servers, these before DataNodes, and ZooKeeper last', () => {
  const all = [excess('zookeeper'), excess('data-node'), excess('region-server'), excess('app-server')];
  const order: string[] = [];
  while (all.length > 0) {
    const { next } = shrinkPlan(all, undefined, []);
    assert.ok(next);
    order.push(next.role);
    all.splice(all.indexOf(next), 1);
  }
  assert.deepEqual(order, ['app-server', 'region-server', 'data-node', 'zookeeper']);
});

test('a pod that serves waits until every other pod is there and all gates are open', () => {
  assert.deepEqual(shrinkPlan([excess('app-server')], shut, []), { blockedBy: shut });
  assert.deepEqual(shrinkPlan([excess('app-server')], undefined, [shut]), { blockedBy: shut });
});

test('a pod that is stuck and holds no data goes at once; one that holds data does not', () => {
  const stuck = excess('region-server', { lastIsStuck: true });
  assert.deepEqual(shrinkPlan([excess('app-server'), stuck], shut, [shut]), { next: stuck });
  assert.deepEqual(shrinkPlan([excess('data-node', { lastIsStuck: true })], shut, []), { blockedBy: shut });
  assert.deepEqual(shrinkPlan([excess('zookeeper', { lastIsStuck: true })], shut, []), { blockedBy: shut });
});
