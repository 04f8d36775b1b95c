// Suites that a small machine has not the processors or the time for.
import { availableParallelism } from 'node:os';

const MIN_PROCESSORS = 4;

/** Why such a suite is not run here; false: it is. */
export const tooLarge: string | false =
  availableParallelism() < MIN_PROCESSORS && process.env.CELLPOST_TEST_LARGE !== '1'
    ? `fewer than ${MIN_PROCESSORS} processors; CELLPOST_TEST_LARGE=1 runs it all the same`
    : false;
