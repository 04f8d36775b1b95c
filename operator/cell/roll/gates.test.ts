import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answersOf, parseCounters } from '../../outside/app-server.ts';
import { parseMonitor } from '../../outside/zookeeper.ts';
import type { Answers, AppServerFacts, RollFacts } from './facts.ts';
import { appServersGate, badAnswers, discoveryGate, zookeeperGate } from './gates.ts';

const good: Answers = { requests: 100, errors: 0, p99Ms: 20 };
const bad: Answers = { requests: 100, errors: 11, p99Ms: 20 };
const server = (pod: string, more: Partial<AppServerFacts> = {}): AppServerFacts => ({
  pod,
  lately: good,
  everSince: good,
  newest: false,
  ...more,
});
const facts = (more: Partial<RollFacts> = {}): RollFacts => ({
  bounds: { maxErrorPercent: 10, maxP99Ms: 2_000 },
  wanted: { zookeeper: 3, appServers: 2 },
  zookeeper: new Map(),
  appServers: [],
  discovery: [],
  ...more,
});

test('ZooKeeper bears a loss when a leader has all followers in step', () => {
  const leader = (syncedFollowers: number): RollFacts =>
    facts({ zookeeper: new Map([['zk-1', { state: 'leader', syncedFollowers }]]) });
  assert.equal(zookeeperGate(leader(2)), undefined);
  assert.match(zookeeperGate(leader(1))?.message ?? '', /^2 followers .*; 1 are\.$/);
  assert.match(zookeeperGate(facts())?.message ?? '', /no server says that it leads/);
  assert.equal(zookeeperGate(facts({ wanted: { zookeeper: 1, appServers: 1 } })), undefined);
});

test('errors and slow answers of app servers pause a roll; few requests say nothing', () => {
  const gate = (lately: Answers) => appServersGate(facts({ appServers: [server('app-0', { lately })] }));
  assert.equal(gate(good), undefined);
  assert.equal(gate(bad)?.reason, 'ErrorRate');
  assert.equal(gate({ ...good, p99Ms: 5_000 })?.reason, 'Latency');
  assert.equal(gate({ requests: 19, errors: 19, p99Ms: Infinity }), undefined);
});

test('each process of discovery must see all app servers serve', () => {
  assert.equal(
    discoveryGate(
      facts({
        discovery: [
          ['a', 'b'],
          ['a', 'b'],
        ],
      }),
    ),
    undefined,
  );
  assert.match(discoveryGate(facts({ discovery: [['a', 'b'], ['a']] }))?.message ?? '', /one sees 1\.$/);
  assert.equal(discoveryGate(facts({ discovery: [undefined] }))?.reason, 'DiscoveryAway');
});

test('a version is bad when its servers fail and those of the version before do not', () => {
  const newest = server('app-1', { newest: true, everSince: bad });
  assert.match(badAnswers(facts({ appServers: [server('app-0'), newest] })) ?? '', /10 % .* app-1 failed/);
  assert.equal(badAnswers(facts({ appServers: [server('app-0', { lately: bad }), newest] })), undefined);
  assert.equal(badAnswers(facts({ appServers: [server('app-0', { everSince: bad })] })), undefined);
});

test('counters of two looks tell what was answered between them', () => {
  const metrics = (ok: number, failed: number, slow: number): string =>
    [
      '# TYPE cellpost_app_server_http_requests_total counter',
      `cellpost_app_server_http_requests_total{route="api",status="200"} ${ok}`,
      `cellpost_app_server_http_requests_total{route="api",status="503"} ${failed}`,
      `cellpost_app_server_jmap_method_duration_seconds_bucket{le="0.1",method="x",result="ok"} ${ok}`,
      `cellpost_app_server_jmap_method_duration_seconds_bucket{le="5",method="x",result="ok"} ${ok + slow}`,
      `cellpost_app_server_jmap_method_duration_seconds_bucket{le="+Inf",method="x",result="ok"} ${ok + slow}`,
    ].join('\n');
  const before = parseCounters(metrics(100, 1, 0));
  const now = parseCounters(metrics(190, 11, 10));
  assert.deepEqual(answersOf(now, before), { requests: 100, errors: 10, p99Ms: 5_000 });
  assert.deepEqual(answersOf(before), { requests: 101, errors: 1, p99Ms: 100 });
});

test('mntr tells who leads, and nothing of a server outside of a quorum', () => {
  assert.deepEqual(parseMonitor('zk_version\t3.8\nzk_server_state\tleader\nzk_synced_followers\t2\n'), {
    state: 'leader',
    syncedFollowers: 2,
  });
  assert.equal(parseMonitor('This ZooKeeper instance is not currently serving requests\n'), undefined);
});
