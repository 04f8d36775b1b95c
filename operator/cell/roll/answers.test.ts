import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answersOf, parseCounters } from '../../outside/app-server.ts';
import { appServersGate, badAnswers, trialGate } from './answers.ts';
import type { Answers, AppServerFacts, RollFacts, Share } from './facts.ts';

const share = (answered: number, failed = 0): Share => ({ answered, failed });
const answers = (more: Partial<Answers> = {}): Answers => ({
  requests: share(100),
  calls: share(100),
  deliveries: share(100),
  p99Ms: 20,
  ...more,
});
/** Of ten requests, as of ten calls and ten mails, one fails. */
const BAD = [{ requests: share(100, 10) }, { calls: share(100, 10) }, { deliveries: share(100, 10) }];
const server = (
  pod: string,
  { lately = answers(), everSince = answers(), ...more }: Partial<AppServerFacts> & Partial<Looks> = {},
): AppServerFacts => ({ pod, newest: false, readySeconds: 100, answers: { lately, everSince }, ...more });
type Looks = { lately: Answers; everSince: Answers };
const facts = (appServers: AppServerFacts[], more: Partial<RollFacts> = {}): RollFacts => ({
  bounds: { maxErrorPercent: 5, maxP99Ms: 2_000 },
  goesBack: [],
  wanted: { zookeeper: 1, appServers: appServers.length },
  appServers,
  discovery: [],
  ...more,
});
const gate = (lately: Answers) => appServersGate(facts([server('app-0', { lately })]));

test('errors of requests, of calls within good requests and of deliveries pause a roll, each by itself', () => {
  assert.equal(gate(answers()), undefined);
  for (const bad of BAD) assert.equal(gate(answers(bad))?.reason, 'ErrorRate');
  assert.match(gate(answers({ deliveries: share(100, 6) }))?.message ?? '', /5 % of the deliveries to app-0/);
  assert.equal(gate(answers({ deliveries: share(100, 5) })), undefined);
  assert.equal(gate(answers({ requests: share(2, 2) })), undefined, 'two that failed may be chance');
  assert.equal(gate(answers({ requests: share(3, 3) }))?.reason, 'ErrorRate');
});

test('slow answers pause a roll; a few calls say nothing', () => {
  assert.equal(gate(answers({ p99Ms: 5_000 }))?.reason, 'Latency');
  assert.equal(gate(answers({ p99Ms: 5_000, calls: share(10), deliveries: share(9) })), undefined);
});

test('an app server that does not tell how it answers shuts the gate', () => {
  const shut = appServersGate(facts([server('app-0'), server('app-1', { answers: undefined })]));
  assert.equal(shut?.reason, 'MetricsAway');
  assert.match(shut.message, /^App server app-1 must tell/);
});

test('when a version is taken back, its servers keep nobody from replacing them', () => {
  const failing = server('app-1', { lately: answers(BAD[0]) });
  const good = server('app-0', { newest: true });
  assert.equal(appServersGate(facts([good, failing], { goesBack: ['cellpost'] })), undefined);
  assert.equal(appServersGate(facts([good, failing]))?.reason, 'ErrorRate');
  const newest = server('app-0', { newest: true, lately: answers(BAD[0]) });
  assert.equal(appServersGate(facts([newest], { goesBack: ['hbase'] })), undefined, 'the storage may be why');
});

test('a server of a new version is watched until it has answered enough, or for a time', () => {
  const trial = { minRequests: 200, observeSeconds: 30 };
  const watched = (more: Parameters<typeof server>[1]): string | undefined =>
    trialGate(facts([server('app-1', { newest: true, ...more })], { trial }))?.reason;
  const few = answers({ requests: share(20), deliveries: share(20) });
  assert.equal(watched({ readySeconds: 5, everSince: few }), 'Observing');
  assert.equal(watched({ readySeconds: 5, everSince: answers({ deliveries: share(100) }) }), undefined);
  assert.equal(watched({ readySeconds: 30, everSince: few }), undefined, 'there is little to answer');
  assert.equal(watched({ readySeconds: 0, everSince: answers() }), 'Observing', 'it is not ready');
  assert.equal(watched({ newest: false, readySeconds: 5, everSince: few }), undefined);
  assert.equal(trialGate(facts([server('app-1', { newest: true, readySeconds: 5 })])), undefined);
});

test('a version is bad when its servers fail and those of the version before do not', () => {
  for (const bad of BAD) {
    const newest = server('app-1', { newest: true, everSince: answers(bad) });
    assert.match(badAnswers(facts([server('app-0'), newest])) ?? '', /5 % of the .* to app-1 failed/);
    assert.match(badAnswers(facts([newest])) ?? '', /app-1/, 'also when none of the version before is left');
    const old = server('app-0', { lately: answers(bad) });
    assert.equal(badAnswers(facts([old, newest])), undefined, 'all fail: something else is wrong');
    assert.equal(badAnswers(facts([server('app-0', { everSince: answers(bad) })])), undefined);
  }
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
      `cellpost_app_server_jmap_method_duration_seconds_count{method="x",result="ok"} ${ok}`,
      `cellpost_app_server_jmap_method_duration_seconds_count{method="x",result="serverFail"} ${failed}`,
      `cellpost_app_server_jmap_method_duration_seconds_count{method="x",result="invalidArguments"} 7`,
      `cellpost_app_server_jmap_method_duration_seconds_count{method="Delivery/channel",result="misdirected"} ${ok}`,
      `cellpost_app_server_jmap_method_duration_seconds_count{method="Delivery/channel",result="serverUnavailable"} ${failed}`,
    ].join('\n');
  const before = parseCounters(metrics(100, 1, 0));
  const now = parseCounters(metrics(190, 11, 10));
  assert.deepEqual(answersOf(now, before), {
    requests: share(100, 10),
    calls: share(100, 10),
    deliveries: share(100, 10),
    p99Ms: 5_000,
  });
  assert.deepEqual(answersOf(before), {
    requests: share(101, 1),
    calls: share(108, 1),
    deliveries: share(101, 1),
    p99Ms: 100,
  });
});
