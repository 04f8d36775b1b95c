// What the ids in a log stand for: learnt from the entries that go by, and looked up in the log for others.
import { LRUCache } from 'lru-cache';
import {
  emailId,
  indexOf,
  mailboxId,
  ordinal,
  parseEmailId,
  parseMailboxId,
  seqOf,
  type Ordinal,
} from '../../workloads/app-server/image/ids.ts';
import type { Action } from '../../workloads/app-server/log/actions.ts';
import type { Names, Place } from './describe.ts';
import { readEntry, type LogSource } from './log-client.ts';

/** Subjects that are remembered; another is read from the log again. */
const MAX_SUBJECTS = 20_000;

export class LogNames implements Names {
  readonly #source: LogSource;
  readonly #key: string;
  readonly #mailboxes = new Map<string, string>();
  readonly #subjects = new LRUCache<string, string>({ max: MAX_SUBJECTS });

  constructor(source: LogSource, key: string) {
    this.#source = source;
    this.#key = key;
  }

  /** To be called with each action in order, after it was described: names are those from before. */
  note(action: Action, at: Place): void {
    if (action.type === 'mailboxCreated') this.#mailboxes.set(mailboxId(ordinal(at)), action.name);
    else if (action.type === 'mailboxUpdated' && action.name !== undefined)
      this.#mailboxes.set(action.mailboxId, action.name);
    else if (action.type === 'messageAdded')
      this.#subjects.set(emailId(ordinal(at)), action.message.headers.subject ?? '');
  }

  async mailbox(id: string): Promise<string | undefined> {
    if (!this.#mailboxes.has(id)) await this.#look(parseMailboxId(id));
    return this.#mailboxes.get(id);
  }

  async subject(id: string): Promise<string | undefined> {
    const known = this.#subjects.get(id);
    if (known !== undefined) return known;
    await this.#look(parseEmailId(id));
    return this.#subjects.get(id);
  }

  /** An id says which action made the thing. */
  async #look(at: Ordinal | undefined): Promise<void> {
    if (at === undefined) return;
    const place = { seq: seqOf(at), index: indexOf(at) };
    const action = (await readEntry(this.#source, this.#key, place.seq))?.actions[place.index];
    if (action) this.note(action, place);
  }
}
