// Mailbox/query (RFC 8621 section 2.3).
import { z } from 'zod';
import { mailboxId, stateString } from '../../image/ids.ts';
import { above } from '../../logic/mailbox-updates.ts';
import type { MailboxRecord, UserImage } from '../../image/model.ts';
import { evaluateFilter, parseFilter, type Filter } from '../filter.ts';
import { MAIL } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { queryResponse, windowArgs, windowOf } from '../query-window.ts';
import { id } from '../schemas.ts';
import { assertSortable, collate, compareKeys, sortArg, type Comparator } from '../sort.ts';

const conditionSchema = z.strictObject({
  parentId: id.nullable().optional(),
  name: z.string().optional(),
  role: z.string().nullable().optional(),
  hasAnyRole: z.boolean().optional(),
  isSubscribed: z.boolean().optional(),
});
type Condition = z.infer<typeof conditionSchema>;

const CONDITIONS = new Set(Object.keys(conditionSchema.shape));
const SORT_PROPERTIES = new Set(['sortOrder', 'name']);

function matches(mailbox: MailboxRecord, condition: Condition): boolean {
  const { parentId, name, role, hasAnyRole, isSubscribed } = condition;
  const parent = mailbox.parentId === undefined ? null : mailboxId(mailbox.parentId);
  return (
    (parentId === undefined || parent === parentId) &&
    (name === undefined || collate(mailbox.name, undefined).includes(collate(name, undefined))) &&
    (role === undefined || (mailbox.role ?? null) === role) &&
    (hasAnyRole === undefined || (mailbox.role !== undefined) === hasAnyRole) &&
    (isSubscribed === undefined || mailbox.isSubscribed === isSubscribed)
  );
}

function compare(a: MailboxRecord, b: MailboxRecord, sort: readonly Comparator[]): number {
  for (const { property, isAscending = true, collation } of sort) {
    const order =
      property === 'sortOrder'
        ? a.sortOrder - b.sortOrder
        : compareKeys(collate(a.name, collation), collate(b.name, collation));
    if (order !== 0) return isAscending ? order : -order;
  }
  return a.id - b.id;
}

/** The mailbox and all above it, the topmost first. */
function path(image: UserImage, mailbox: MailboxRecord): MailboxRecord[] {
  const found: MailboxRecord[] = [];
  for (let at: MailboxRecord | undefined = mailbox; at; at = above(image, at)) found.unshift(at);
  return found;
}

/** A child follows its parent, among siblings the comparators decide (sortAsTree). */
function compareAsTree(
  image: UserImage,
  a: MailboxRecord,
  b: MailboxRecord,
  sort: readonly Comparator[],
): number {
  const pathA = path(image, a);
  const pathB = path(image, b);
  for (const [level, mailboxA] of pathA.entries()) {
    const mailboxB = pathB[level];
    if (!mailboxB) return 1;
    if (mailboxA !== mailboxB) return compare(mailboxA, mailboxB, sort);
  }
  return pathA.length - pathB.length;
}

function find(
  image: UserImage,
  filter: Filter<Condition> | undefined,
  sort: readonly Comparator[],
  { sortAsTree = false, filterAsTree = false },
): string[] {
  const passes = (mailbox: MailboxRecord): boolean =>
    evaluateFilter(filter, (condition) => matches(mailbox, condition)) === true;
  return [...image.mailboxes.values()]
    .filter((mailbox) => (filterAsTree ? path(image, mailbox).every(passes) : passes(mailbox)))
    .sort((a, b) => (sortAsTree ? compareAsTree(image, a, b, sort) : compare(a, b, sort)))
    .map((mailbox) => mailboxId(mailbox.id));
}

export const mailboxQuery = accountMethod({
  name: 'Mailbox/query',
  capability: MAIL,
  args: z.strictObject({
    ...windowArgs,
    filter: z.unknown().optional(),
    sort: sortArg,
    sortAsTree: z.boolean().optional(),
    filterAsTree: z.boolean().optional(),
  }),
  async run(args, call) {
    const filter = parseFilter(args.filter, conditionSchema, CONDITIONS);
    const sort = args.sort ?? [];
    assertSortable(sort, SORT_PROPERTIES);
    return call.read((image) => {
      const ids = find(image, filter, sort, {
        sortAsTree: args.sortAsTree ?? false,
        filterAsTree: args.filterAsTree ?? false,
      });
      const window = windowOf(
        { length: ids.length, at: (index) => ids[index], indexOf: (anchor) => ids.indexOf(anchor) },
        args,
      );
      return queryResponse(
        window,
        stateString(image.mailboxesChangedAt),
        false,
        args.calculateTotal ? ids.length : undefined,
      );
    });
  },
});
