// Carries out a restore: compares two moments of the log, and appends what leads from the one to the other.
import type { RestoreSummary } from '../../common/cell-client/restore-lines.ts';
import { emailId, ordinal, parseEmailId } from '../image/ids.ts';
import type { Action } from '../log/actions.ts';
import { entryCodec } from '../log/entry.ts';
import { Contents, type EmailContent } from '../logic/contents.ts';
import { countSteps, planRestore, type RestorePlan, type RestoreRequest } from '../logic/restore-plan.ts';
import {
  addReturning,
  changeBack,
  destroyEmails,
  destroyMailboxes,
  restoreMailboxes,
  type Returning,
} from '../logic/restore-steps.ts';
import type { Services } from './services.ts';

/** Of one transaction: far below what an entry holds, so that the user's own requests find room in between. */
const BATCH_EMAILS = 200;
const BATCH_ENTRY_BYTES = 256 * 1024;
/** Messages of one entry: whoever reads one of them later reads and decodes the entry. */
const BATCH_MESSAGES = 32;
const BATCH_BODY_BYTES = 1024 * 1024;
const READ_PAGE = { limit: 1_000, maxBytes: 1024 * 1024 };

type RestoreEvents = {
  onProgress(done: number, of: number): void;
  /** Nobody waits for the outcome any more: the restore stops, and is gone on with when it is asked for again. */
  isGone(): boolean;
};

export class RestoreRun {
  readonly #services: Services;
  readonly #key: string;
  readonly #events: RestoreEvents;
  #done = 0;
  #of = 0;

  constructor(services: Services, key: string, events: RestoreEvents) {
    this.#services = services;
    this.#key = key;
    this.#events = events;
  }

  /** @param head the last entry that is compared; what comes after it is newer */
  async restore(
    request: RestoreRequest,
    head: number,
    dryRun: boolean,
  ): Promise<Omit<RestoreSummary, 'seqBefore'>> {
    const { past, present } = await this.#readMoments(request.seq, head);
    const plan = planRestore(past, present, request);
    this.#of = countSteps(plan);
    if (!dryRun) await this.#carryOut(plan);
    return {
      toSeq: request.seq,
      seqAfter: await this.#services.logs.read(this.#key, (_image, last) => last),
      mailboxes: {
        added: plan.mailboxesToCreate.length,
        changed: plan.mailboxesToChange.length,
        destroyed: plan.mailboxesToDestroy.length,
      },
      emails: {
        added: plan.emailsToAdd.length,
        changed: plan.emailsToChange.length,
        destroyed: plan.emailsToDestroy.length,
      },
      newerEmails: plan.newerEmails,
    };
  }

  /** Reads the log twice: which emails something happened to since, then what became of these. Others cost no memory. */
  async #readMoments(seq: number, head: number): Promise<{ past: Contents; present: Contents }> {
    const touched = new Set<string>();
    for await (const entry of readEntries(this.#services, this.#key, seq + 1, head))
      for (const [index, action] of entry.actions.entries()) {
        if ('emailId' in action) touched.add(action.emailId);
        else if (action.type === 'messageAdded') touched.add(emailId(ordinal({ seq: entry.seq, index })));
      }
    const present = new Contents((id) => touched.has(id));
    let past = present;
    for await (const entry of readEntries(this.#services, this.#key, 1, head)) {
      for (const [index, action] of entry.actions.entries()) present.apply(action, { seq: entry.seq, index });
      if (entry.seq === seq) past = present.copy();
    }
    return { past, present };
  }

  async #carryOut(plan: RestorePlan): Promise<void> {
    const { logs } = this.#services;
    const current = await logs.write(this.#key, (tx) => restoreMailboxes(tx, plan));
    this.#tell(plan.mailboxesToCreate.length + plan.mailboxesToChange.length);
    for (const batch of batches(plan.emailsToAdd, () => BATCH_ENTRY_BYTES / BATCH_MESSAGES))
      await this.#addBack(batch, current);
    for (const batch of batches(plan.emailsToChange, textBytes)) {
      await logs.write(this.#key, (tx) => changeBack(tx, batch, current));
      this.#tell(batch.length);
    }
    for (const batch of batches(plan.emailsToDestroy, (id) => id.length)) {
      await logs.write(this.#key, (tx) => destroyEmails(tx, batch));
      this.#tell(batch.length);
    }
    await logs.write(this.#key, (tx) => destroyMailboxes(tx, plan.mailboxesToDestroy));
    this.#tell(plan.mailboxesToDestroy.length);
  }

  async #addBack(emails: readonly EmailContent[], current: ReadonlyMap<string, string>): Promise<void> {
    const { logs, messages } = this.#services;
    const ids = new Map(emails.map((email) => [email, parseEmailId(email.id) ?? 0]));
    const loaded = await messages.load(this.#key, ids.values());
    let batch: Returning[] = [];
    let size = { entry: 0, bodies: 0 };
    const flush = async (): Promise<void> => {
      const adding = batch;
      batch = [];
      size = { entry: 0, bodies: 0 };
      if (adding.length > 0) await logs.write(this.#key, (tx) => addReturning(tx, adding, current));
      this.#tell(adding.length);
    };
    for (const [was, id] of ids) {
      const added = loaded.get(id);
      if (!added) throw new Error(`the log has no message ${was.id}`);
      const bytes = added.body.kind === 'inline' ? await messages.open(this.#key, id, added)() : undefined;
      const entry = entryBytes(added);
      const bodies = bytes?.byteLength ?? 0;
      if (size.entry + entry > BATCH_ENTRY_BYTES || size.bodies + bodies > BATCH_BODY_BYTES) await flush();
      size = { entry: size.entry + entry, bodies: size.bodies + bodies };
      batch.push({ was, added, bytes });
    }
    await flush();
  }

  #tell(count: number): void {
    if (this.#events.isGone()) throw new Error('whoever asked has gone');
    this.#done += count;
    this.#events.onProgress(this.#done, this.#of);
  }
}

async function* readEntries(
  services: Services,
  key: string,
  from: number,
  to: number,
): AsyncGenerator<{ seq: number; actions: readonly Action[] }> {
  for (let next = from; next <= to;) {
    const limit = Math.min(READ_PAGE.limit, to - next + 1);
    const rows = await services.store.read(key, next, { ...READ_PAGE, limit });
    if (rows.length === 0) throw new Error(`the log of ${key} lacks entry ${next}`);
    for (const { seq, entry } of rows) yield { seq, actions: entryCodec.decode(entry).actions };
    next += rows.length;
  }
}

/** Parts that fit into a transaction each. */
function* batches<T>(items: readonly T[], bytesOf: (item: T) => number): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (batch.length >= BATCH_EMAILS || (batch.length > 0 && bytes + size > BATCH_ENTRY_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function textBytes({ keywords, mailboxIds }: EmailContent): number {
  return [...keywords, ...mailboxIds].reduce((sum, text) => sum + text.length, 0);
}

function entryBytes(action: Action): number {
  return entryCodec.encode({ timeMs: 0, writer: { server: '', session: '', number: 0 }, actions: [action] })
    .byteLength;
}
