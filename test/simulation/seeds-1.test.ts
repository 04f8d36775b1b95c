// Half of the seeds: the runner takes two files at a time, one a core.
import { expectGood } from './expect-good.ts';

expectGood(1, 25);
