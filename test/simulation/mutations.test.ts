// The simulation must see it when a safeguard is missing, by the harm alone: what clients were told.
import { test } from 'node:test';
import type { FaultKind } from './faults.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';
import { simulate } from './simulation.ts';

/** Many times what each takes, so that a change elsewhere does not make this fail by chance. */
const MAX_SEEDS = 150;

/** The faults that a safeguard is there for; all of them find it, too, after more seeds. */
const FAULTS_FOR: Record<Mutation, FaultKind[] | undefined> = {
  'no compare': undefined,
  'no lease': ['cut coordination', 'pause', 'lame'],
  'no dedupe': undefined,
  'no fence': ['lame'],
  'no acks': ['leave', 'kill', 'slow coordination'],
};

for (const mutation of MUTATIONS) {
  test(`a cell with ${mutation} is found out`, async (t) => {
    for (let seed = 1; seed <= MAX_SEEDS; seed++) {
      const { violation } = await simulate({ seed, mutation, kinds: FAULTS_FOR[mutation], exclusive: false });
      if (!violation) continue;
      if (!/invariant/.test(violation.message)) throw violation;
      return t.diagnostic(`seed ${seed}: ${violation.message}`);
    }
    throw new Error(`${MAX_SEEDS} seeds have not seen it`);
  });
}
