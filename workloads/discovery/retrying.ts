// Changes by compare-and-set, made again when somebody else was faster.
import { CoordinationError, type CoordinationErrorCode } from '../common/coordination/coordination.ts';

/** Conditions that fail that often in a row: something is wrong. */
const MAX_ATTEMPTS = 20;

/** Runs `work` again when it failed by one of the codes. */
export async function retrying<T>(
  codes: readonly CoordinationErrorCode[],
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const again = error instanceof CoordinationError && codes.includes(error.code);
      if (!again || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}
