// Looking at states whose parts may lie in the store.
import type { Clock } from '../../common/clock.ts';
import type { LogStore } from './log-store.ts';
import { PageMissing } from './page-missing.ts';
import { readWithin } from './settle.ts';
import type { Look } from './user-log-types.ts';

/**
 * @param onLoad told each time that pages came into memory
 * @returns what looks at the states of one key; it throws what the look throws, PageLost, StoreUnavailable
 */
export function lookAt(store: LogStore, clock: Clock, key: string, onLoad = (): void => {}): Look {
  const read = (ids: readonly string[]) => readWithin(clock, store.getPages(key, ids), key);
  return async (look) => {
    for (;;) {
      try {
        return look();
      } catch (error) {
        if (!(error instanceof PageMissing)) throw error;
        await error.load(read);
        onLoad();
      }
    }
  };
}
