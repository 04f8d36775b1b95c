// Finds the emails that a query is about. What the image tells is looked up at once; where messages themselves must be
// read, that happens outside of the user's log, and the search is made again with what was learnt, until nothing is
// unknown: so the answer is that of one moment, however long the reading took.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { emailOf, emailsOf } from '../image/email-record.ts';
import { emailId, parseEmailId, parseMailboxId, type Ordinal } from '../image/ids.ts';
import { ALL_MAIL, EmailList } from '../image/lists.ts';
import type { EmailRecord, OpenUser, UserImage } from '../image/model.ts';
import type { Look } from '../log/user-log-types.ts';
import type { Call } from './call.ts';
import { learnContent, type Content } from './email-content.ts';
import { needsContent, testCondition, type EmailCondition } from './email-filter.ts';
import { isByDate, isNewestFirst, sortEmails, sortNeedsContent } from './email-sort.ts';
import { MethodError } from './errors.ts';
import { conditionsOf, evaluateFilter, type Filter, type Truth } from './filter.ts';
import type { Results } from './query-window.ts';
import type { Comparator } from './sort.ts';

export type EmailQuery = {
  filter: Filter<EmailCondition> | undefined;
  sort: readonly Comparator[];
  collapseThreads: boolean;
};

/** Messages that one query reads; a client with more candidates names a mailbox or a time as well. */
const MAX_MESSAGES_READ = 20_000;
/** Mail that arrives while messages are read makes a search start again; this often at most. */
const MAX_ROUNDS = 10;
/** The id of a mailbox that is not there. */
const NO_MAILBOX: Ordinal = 1;
/** Emails that are tested between two turns of the event loop. */
const TESTED_AT_ONCE = 2_000;

export class EmailSearch {
  readonly #call: Call;
  readonly #query: EmailQuery;
  /** The conditions that messages must be read for, in a fixed order. */
  readonly #contentConditions: EmailCondition[];
  readonly #learnt = new Map<Ordinal, Content>();

  constructor(call: Call, query: EmailQuery) {
    this.#call = call;
    this.#query = query;
    this.#contentConditions = [...conditionsOf(query.filter)].filter(needsContent);
  }

  /** @throws MethodError unsupportedFilter when too many messages had to be read */
  async run<T>(look: (results: Results, image: UserImage) => T): Promise<T> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const step = await this.#call.read(async (image, at) => {
        const found = await this.#find(image, at);
        return Array.isArray(found) ? { unknown: found } : { value: await at(() => look(found, image)) };
      });
      if ('value' in step) return step.value as T;
      if (this.#learnt.size + step.unknown.length > MAX_MESSAGES_READ)
        throw new MethodError(
          'unsupportedFilter',
          `More than ${MAX_MESSAGES_READ} messages would have to be read: narrow it by mailbox or time.`,
        );
      await learnContent(this.#call, step.unknown, this.#contentConditions, this.#query.sort, this.#learnt);
    }
    throw new MethodError('serverUnavailable', 'The mailbox changes too fast for this query; try again.');
  }

  /** @returns the messages that must be read before the results are known, if there are any */
  async #find(image: OpenUser, at: Look): Promise<Ordinal[] | Results> {
    const { filter, sort, collapseThreads } = this.#query;
    const { mailbox, exact } = baseList(filter);
    const byDate = isByDate(sort);
    const list = await at(() => new EmailList(image, mailbox));
    if (exact && byDate && !collapseThreads) return listResults(image, list, isNewestFirst(sort));
    const unknown: Ordinal[] = [];
    const passing: EmailRecord[] = [];
    const keysNeeded = sortNeedsContent(sort);
    for (let start = 0; start < list.length; start += TESTED_AT_ONCE) {
      const tested = await at(() => this.#testSome(image, list, start, exact));
      for (const { email, truth } of tested) {
        if (truth === undefined || (truth && keysNeeded && !this.#learnt.has(email.id)))
          unknown.push(email.id);
        else if (truth) passing.push(email);
      }
      await nextTurn();
    }
    if (unknown.length > 0) return unknown;
    // The list is sorted by date, oldest first, already.
    let sorted = passing;
    if (!byDate)
      sorted = await at(() =>
        sortEmails(image, passing, sort, (email) => this.#learnt.get(email.id)?.sortKeys),
      );
    else if (isNewestFirst(sort)) sorted = passing.reverse();
    return arrayResults(collapseThreads ? collapse(sorted) : sorted);
  }

  #testSome(
    image: UserImage,
    list: EmailList,
    start: number,
    exact: boolean,
  ): { email: EmailRecord; truth: Truth }[] {
    const emails = emailsOf(image, list.from(start).take(TESTED_AT_ONCE));
    return emails.map((email) => ({ email, truth: exact ? true : this.#test(image, email) }));
  }

  #test(image: UserImage, email: EmailRecord): Truth {
    const learnt = this.#learnt.get(email.id);
    return evaluateFilter(this.#query.filter, (condition) => {
      const index = this.#contentConditions.indexOf(condition);
      return testCondition(image, email, condition, learnt?.conditions[index]);
    });
  }
}

/** The shortest list that holds all results; `exact` when all in it are results. */
function baseList(filter: Filter<EmailCondition> | undefined): { mailbox: Ordinal; exact: boolean } {
  if (!filter) return { mailbox: ALL_MAIL, exact: true };
  const parts = filter.kind === 'operator' && filter.operator === 'AND' ? filter.filters : [filter];
  for (const part of parts) {
    if (part.kind !== 'condition' || part.condition.inMailbox === undefined) continue;
    const exact = parts.length === 1 && Object.keys(part.condition).length === 1;
    return { mailbox: parseMailboxId(part.condition.inMailbox) ?? NO_MAILBOX, exact };
  }
  return { mailbox: ALL_MAIL, exact: false };
}

/** The first email of each thread. */
function collapse(emails: readonly EmailRecord[]): EmailRecord[] {
  const seen = new Set<Ordinal>();
  return emails.filter(({ threadId }) => {
    if (seen.has(threadId)) return false;
    seen.add(threadId);
    return true;
  });
}

function arrayResults(emails: readonly EmailRecord[]): Results {
  return {
    length: emails.length,
    at: (index) => idOf(emails[index]?.id),
    indexOf(anchor) {
      const at = parseEmailId(anchor);
      return emails.findIndex(({ id }) => id === at);
    },
  };
}

function idOf(email: Ordinal | undefined): string | undefined {
  return email === undefined ? undefined : emailId(email);
}

/** A sorted list of the image as it is: a page costs the same however long it is. */
function listResults(image: UserImage, list: EmailList, newestFirst: boolean): Results {
  const place = (index: number): number => (newestFirst ? list.length - 1 - index : index);
  return {
    length: list.length,
    at: (index) => idOf(list.at(place(index))),
    indexOf(anchor) {
      const at = parseEmailId(anchor);
      const email = at === undefined ? undefined : emailOf(image, at);
      const index = email ? list.indexOf(email) : -1;
      return index < 0 ? -1 : place(index);
    },
  };
}
