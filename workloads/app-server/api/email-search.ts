// Finds the emails that a query is about. What the image tells is looked up at once; where messages themselves must be
// read, that happens outside of the user's log, and the search is made again with what was learnt, until nothing is
// unknown: so the answer is that of one moment, however long the reading took.
import { emailId, parseEmailId, parseMailboxId, type Ordinal } from '../image/ids.ts';
import type { EmailRecord, UserImage } from '../image/model.ts';
import { indexByDate } from '../image/order.ts';
import type { Call, OpenUser } from './call.ts';
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
  async run<T>(look: (results: Results<EmailRecord>, image: UserImage) => T): Promise<T> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const step = await this.#call.read((image) => {
        const found = this.#find(image);
        return found.unknown ? { unknown: found.unknown } : { value: look(found.results, image) };
      });
      if (!step.unknown) return step.value;
      if (this.#learnt.size + step.unknown.length > MAX_MESSAGES_READ)
        throw new MethodError(
          'unsupportedFilter',
          `More than ${MAX_MESSAGES_READ} messages would have to be read: narrow it by mailbox or time.`,
        );
      await learnContent(this.#call, step.unknown, this.#contentConditions, this.#query.sort, this.#learnt);
    }
    throw new MethodError('serverUnavailable', 'The mailbox changes too fast for this query; try again.');
  }

  #find(
    image: OpenUser,
  ): { unknown: Ordinal[]; results?: never } | { unknown?: never; results: Results<EmailRecord> } {
    const { filter, sort, collapseThreads } = this.#query;
    const { list, exact } = baseList(image, filter);
    const byDate = isByDate(sort);
    if (exact && byDate && !collapseThreads)
      return { results: listResults(image, list, isNewestFirst(sort)) };
    const unknown: Ordinal[] = [];
    const passing: EmailRecord[] = [];
    const keysNeeded = sortNeedsContent(sort);
    for (const email of list) {
      const truth = exact ? true : this.#test(email);
      if (truth === undefined || (truth && keysNeeded && !this.#learnt.has(email.id))) unknown.push(email.id);
      else if (truth) passing.push(email);
    }
    if (unknown.length > 0) return { unknown };
    // The list is sorted by date, oldest first, already.
    let sorted = passing;
    if (!byDate) sorted = sortEmails(passing, sort, (email) => this.#learnt.get(email.id)?.sortKeys);
    else if (isNewestFirst(sort)) sorted = passing.reverse();
    return { results: arrayResults(collapseThreads ? collapse(sorted) : sorted) };
  }

  #test(email: EmailRecord): Truth {
    const learnt = this.#learnt.get(email.id);
    return evaluateFilter(this.#query.filter, (condition) => {
      const index = this.#contentConditions.indexOf(condition);
      return testCondition(email, condition, learnt?.conditions[index]);
    });
  }
}

/** The shortest list that holds all results, oldest first; `exact` when all in it are results. */
function baseList(
  image: UserImage,
  filter: Filter<EmailCondition> | undefined,
): { list: readonly EmailRecord[]; exact: boolean } {
  if (!filter) return { list: image.emailsByDate, exact: true };
  const parts = filter.kind === 'operator' && filter.operator === 'AND' ? filter.filters : [filter];
  for (const part of parts) {
    if (part.kind !== 'condition' || part.condition.inMailbox === undefined) continue;
    const at = parseMailboxId(part.condition.inMailbox);
    const mailbox = at === undefined ? undefined : image.mailboxes.get(at);
    const exact = parts.length === 1 && Object.keys(part.condition).length === 1;
    return { list: mailbox?.emails ?? [], exact };
  }
  return { list: image.emailsByDate, exact: false };
}

/** The first email of each thread. */
function collapse(emails: readonly EmailRecord[]): EmailRecord[] {
  const seen = new Set<Ordinal>();
  return emails.filter(({ thread }) => {
    if (seen.has(thread.id)) return false;
    seen.add(thread.id);
    return true;
  });
}

function arrayResults(emails: readonly EmailRecord[]): Results<EmailRecord> {
  return {
    length: emails.length,
    at: (index) => emails[index],
    indexOf: (anchor) => emails.findIndex((email) => emailId(email.id) === anchor),
  };
}

/** A sorted list of the image as it is: a page costs the same however long it is. */
function listResults(
  image: UserImage,
  list: readonly EmailRecord[],
  newestFirst: boolean,
): Results<EmailRecord> {
  const place = (index: number): number => (newestFirst ? list.length - 1 - index : index);
  return {
    length: list.length,
    at: (index) => list[place(index)],
    indexOf(anchor) {
      const at = parseEmailId(anchor);
      const email = at === undefined ? undefined : image.emails.get(at);
      const index = email ? indexByDate(list, email) : -1;
      return index < 0 ? -1 : place(index);
    },
  };
}
