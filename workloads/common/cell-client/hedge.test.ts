import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { AnswerTimes, hedged } from './hedge.ts';

/** Ends only by its signal. */
const hangs = (ending: AbortSignal): Promise<string> =>
  new Promise((_resolve, reject) => ending.addEventListener('abort', () => reject(new Error('ended'))));

const isAnswer = (result: string): boolean => result !== 'busy';

test('a slow answer is asked for a second time, and whoever is faster wins and ends the other', async () => {
  const ended: number[] = [];
  const outcomes: string[] = [];
  const result = await hedged({
    attempt: async (index, ending) => {
      if (index === 1) return 'second';
      return await hangs(ending).finally(() => ended.push(index));
    },
    isAnswer,
    times: new AnswerTimes(1),
    most: 2,
    mayTry: () => true,
    onHedge: (outcome) => outcomes.push(outcome),
  });
  assert.equal(result, 'second');
  assert.deepEqual(outcomes, ['won']);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ended, [0]);
});

test('without budget there is no second try', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  let tries = 0;
  const outcomes: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const answer = hedged({
    attempt: () => (tries++, promise),
    isAnswer,
    times: new AnswerTimes(10),
    most: 2,
    mayTry: () => false,
    onHedge: (outcome) => outcomes.push(outcome),
  });
  mock.timers.tick(1_000);
  resolve('late');
  assert.deepEqual([await answer, tries], ['late', 1]);
  assert.deepEqual(outcomes, ['withheld']);
});

test('one that can not tell does not win over one that still may; when none can, the last one counts', async () => {
  const first = Promise.withResolvers<string>();
  const gone = (): Promise<string> => Promise.reject(new Error('gone'));
  const outcomes: string[] = [];
  const onHedge = (outcome: string): void => void outcomes.push(outcome);
  const common = { isAnswer, times: new AnswerTimes(1), most: 2, mayTry: () => true, onHedge };
  const answer = hedged({ ...common, attempt: async (index) => (index === 0 ? first.promise : 'busy') });
  setTimeout(() => first.resolve('told'), 20);
  assert.equal(await answer, 'told');
  assert.deepEqual(outcomes, ['lost']);
  // One that ends before it is slow gets no further try.
  assert.equal(await hedged({ ...common, attempt: async () => 'busy' }), 'busy');
  await assert.rejects(hedged({ ...common, attempt: gone }), /gone/);
  assert.deepEqual(outcomes, ['lost']);
  const slow = async (): Promise<string> => await delay(10).then(gone);
  await assert.rejects(hedged({ ...common, attempt: slow }), /gone/);
  assert.deepEqual(outcomes, ['lost', 'failed']);
});

test('the delay is what nearly all answers keep to', () => {
  const times = new AnswerTimes(500);
  for (let n = 0; n < 15; n++) times.note(100);
  assert.equal(times.delayMs, 500);
  for (let n = 0; n < 1_000; n++) times.note(n % 100 < 98 ? 50 : 2_000);
  assert.equal(times.delayMs, 50);
  for (let n = 0; n < 200; n++) times.note(1);
  assert.equal(times.delayMs, 20);
});
