import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answers, AnswersOfServer } from '../cell/roll/facts.ts';
import { judge } from './answers.ts';
import type { RolloutSpec } from './types.ts';

const gates = { maxErrorPercent: 5, maxP99Ms: 2_000 } as RolloutSpec['gates'];
const well: Answers = {
  requests: { answered: 100, failed: 0 },
  calls: { answered: 100, failed: 0 },
  deliveries: { answered: 100, failed: 0 },
  p99Ms: 20,
};
const judged = (more: Partial<AnswersOfServer>): string | undefined =>
  judge('a-app-0', { lately: well, everSince: well, ...more }, gates);

test('an app server of a stage is judged by what it answers lately and by all since its start', () => {
  const failing = { ...well, deliveries: { answered: 100, failed: 10 } };
  assert.equal(judged({}), undefined);
  for (const when of ['lately', 'everSince'])
    assert.equal(judged({ [when]: failing }), 'more than 5 % of the deliveries to a-app-0 fail.');
  assert.equal(
    judged({ lately: { ...well, p99Ms: 3_000 } }),
    '1 % of the calls of a-app-0 take more than 2000 ms.',
  );
  assert.equal(judged({ everSince: { ...well, p99Ms: 3_000 } }), undefined, 'it was slow at its start');
  assert.equal(judge('a-app-0', undefined, gates), 'a-app-0 does not tell how it answers.');
});
