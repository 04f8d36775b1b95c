// The simulation must see it when a safeguard is missing, by the harm alone: what clients were told.
import { test } from 'node:test';
import type { FaultKind } from './faults.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';
import { simulate } from './simulation.ts';

/** Many times what each takes, so that a change elsewhere does not make this fail by chance. */
const MAX_SEEDS = 150;

type Harm = {
  /** The faults that a safeguard is there for; all of them find it, too, after more seeds. */
  kinds?: FaultKind[];
  seenAs: RegExp;
};

const HARM: Record<Mutation, Harm> = {
  'no compare': { seenAs: /invariant/ },
  'no lease': { kinds: ['cut coordination', 'pause', 'lame'], seenAs: /invariant/ },
  'no dedupe': { seenAs: /invariant 5/ },
  'no fence': { kinds: ['lame'], seenAs: /invariant/ },
  'no acks': { kinds: ['leave', 'kill', 'slow coordination'], seenAs: /invariant/ },
  'no gate check': { seenAs: /invariant/ },
  'no release': { kinds: ['leave', 'kill', 'reset'], seenAs: /invariant/ },
  'no wait': { seenAs: /invariant 1/ },
  'no doubt': { seenAs: /invariant 1/ },
  'no snapshot check': {
    kinds: ['flip snapshot', 'misnumber snapshot', 'foreign snapshot', 'kill'],
    seenAs: /invariant/,
  },
  'no page check': { kinds: ['flip page', 'kill'], seenAs: /invariant/ },
  'no user in a key': { seenAs: /invariant 6/ },
  'no order of time': { kinds: ['clock forward', 'clock back'], seenAs: /invariant 3/ },
  'no password check': { seenAs: /invariant 6/ },
  "no user in a message's key": { seenAs: /invariant 6/ },
  'no home check': { kinds: ['move', 'kill'], seenAs: /invariant 6/ },
};

/** Those that are about who may ask what: toys have nobody who asks. */
const OF_APIS: readonly Mutation[] = ['no password check', "no user in a message's key", 'no home check'];

/** Those that are about what is in an image, or how it lies in the store: found with the real one, too. */
const OF_IMAGES: readonly Mutation[] = [
  'no dedupe',
  'no snapshot check',
  'no page check',
  'no user in a key',
  'no release',
];
const CASES = [
  ...MUTATIONS.filter((mutation) => !OF_APIS.includes(mutation)).map((mutation) => ({
    mutation,
    real: false,
  })),
  ...[...OF_IMAGES, ...OF_APIS].map((mutation) => ({ mutation, real: true })),
];

for (const { mutation, real } of CASES) {
  const { kinds, seenAs } = HARM[mutation];
  test(`a cell ${real ? 'of real images ' : ''}with ${mutation} is found out`, async (t) => {
    for (let seed = 1; seed <= MAX_SEEDS; seed++) {
      const { violation } = await simulate({ seed, real, mutation, kinds, exclusive: false });
      // What is broken may be seen by something else first: a log that is no more, say, by a key that is not served.
      if (!violation || !seenAs.test(violation.message)) continue;
      return t.diagnostic(`seed ${seed}: ${violation.message}`);
    }
    throw new Error(`${MAX_SEEDS} seeds have not seen it`);
  });
}
