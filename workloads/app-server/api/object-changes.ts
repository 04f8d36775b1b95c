// From touched objects to the lists of a /changes response (RFC 8620 section 5.2).
import { stateString, type Ordinal } from '../image/ids.ts';
import { MethodError } from './errors.ts';

/** An action touched an object; the last touch of an object within the answer decides. */
export type Touch = { at: Ordinal; id: Ordinal; gone: boolean };

/**
 * @param touches in order of the log, after `since`; an object's id says when it was created
 * @param now the state after all of them
 * @throws MethodError cannotCalculateChanges when one action alone touches more than `max`
 */
export function objectChanges(
  touches: readonly Touch[],
  since: Ordinal,
  now: Ordinal,
  max: number,
  format: (id: Ordinal) => string,
): Record<string, unknown> {
  const last = new Map<Ordinal, Touch>();
  let newState = now;
  let previous = since;
  for (const touch of touches) {
    if (!last.has(touch.id) && last.size === max) {
      if (previous === since)
        throw new MethodError('cannotCalculateChanges', 'maxChanges is too small for one change.');
      newState = previous;
      break;
    }
    last.set(touch.id, touch);
    previous = touch.at;
  }
  const created: string[] = [];
  const updated: string[] = [];
  const destroyed: string[] = [];
  for (const { id, gone } of last.values()) {
    if (id <= since) (gone ? destroyed : updated).push(format(id));
    else if (!gone) created.push(format(id));
  }
  return {
    oldState: stateString(since),
    newState: stateString(newState),
    hasMoreChanges: newState !== now,
    created,
    updated,
    destroyed,
  };
}
