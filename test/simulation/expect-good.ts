// A test a seed.
import { test } from 'node:test';
import { describeFailure } from './report.ts';
import { simulate } from './simulation.ts';

export function expectGood(from: number, to: number): void {
  for (let seed = from; seed <= to; seed++) {
    test(`a cell keeps its promises through the faults of seed ${seed}`, async () => {
      const result = await simulate({ seed });
      if (result.violation) throw new Error(describeFailure(result));
    });
  }
}
