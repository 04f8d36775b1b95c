import { expectGood } from './expect-good.ts';

expectGood(26, 50);
