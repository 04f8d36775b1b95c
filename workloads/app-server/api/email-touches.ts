// Which email an action of the log is about.
import { isMove } from '../image/filing.ts';
import { parseEmailId } from '../image/ids.ts';
import type { LoggedAction } from './log-changes.ts';
import type { Touch } from './object-changes.ts';

/** @returns undefined for an action that is about no email */
export function touchedEmail({ at, action }: LoggedAction): Touch | undefined {
  switch (action.type) {
    case 'messageAdded':
      return { at, id: at, gone: false };
    case 'messageKeywordsChanged':
    case 'messageMailboxesChanged':
    case 'messageDestroyed': {
      const id = parseEmailId(action.emailId);
      return id === undefined ? undefined : { at, id, gone: action.type === 'messageDestroyed' };
    }
    case 'messageRefiled': {
      const id = isMove(action) ? parseEmailId(action.emailId) : undefined;
      return id === undefined ? undefined : { at, id, gone: false };
    }
    default:
      return undefined;
  }
}
