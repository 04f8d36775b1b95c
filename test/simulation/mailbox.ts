// The smallest mailbox that can go wrong: messages with delivery keys in the order of their arrival, the older ones in
// pages that are merged as they grow.
import { hashPage } from '../../workloads/app-server/image/pages/page.ts';
import type { EntryCodec, LogEntry } from '../../workloads/app-server/log/entry-codec.ts';
import { UnreadableEntry } from '../../workloads/app-server/log/entry-codec.ts';
import { BadSnapshot, type Fold, type Transaction } from '../../workloads/app-server/log/user-log-types.ts';
import { hashText } from './hash-text.ts';
import {
  addToDigest,
  modelOf,
  type Delivery,
  type DeliverResult,
  type Model,
  type ReadResult,
} from './model.ts';
import { encodePage, MessagePage, messagesOf, newPage, type Message } from './mailbox-pages.ts';

/** What a message is said to take: so much that a few of them make a snapshot due and older pages be put away. */
const MESSAGE_BYTES = 200_000;

/** Messages that are in no page: the newest. */
const MAX_RECENT = 6;
const PAGE_MESSAGES = 4;

type Mailbox = {
  readonly recent: readonly Message[];
  /** Oldest first. */
  readonly pages: readonly MessagePage[];
};

type WireMailbox = {
  recent: readonly Message[];
  pages: readonly { id: string; count: number }[];
  garbage: readonly string[];
};

/** @param checked false: a mutation: damaged pages are taken as they are */
function mailboxFold(checked: boolean): Fold<Mailbox, Delivery> {
  return {
    empty: () => ({ recent: [], pages: [] }),
    apply({ recent, pages }, { to, deliveryKey }, at) {
      const message = { to, deliveryKey, id: `${at.seq}.${at.index}`, timeMs: at.timeMs };
      const all = [...recent, message];
      if (all.length <= MAX_RECENT) return { recent: all, pages };
      const merged = mergeLast([...pages, newPage(all.slice(0, PAGE_MESSAGES))], checked);
      return { recent: all.slice(PAGE_MESSAGES), pages: merged };
    },
    size({ recent, pages }) {
      const inMemory = pages.filter(({ messages }) => messages);
      const unsaved = inMemory.filter(({ isStored }) => !isStored);
      return {
        bytes: MESSAGE_BYTES * (recent.length + sum(inMemory)),
        unsavedBytes: MESSAGE_BYTES * sum(unsaved),
      };
    },
    unload({ pages }) {
      for (const page of pages) if (page.isStored) page.messages = undefined;
    },
    snapshots: {
      format: 1,
      encode({ recent, pages }, before, garbage) {
        const unstored = pages.filter(({ isStored }) => !isStored);
        const needed = new Set(pages.map(({ id }) => id));
        const unused = (before?.pages ?? []).filter(({ id }) => !needed.has(id)).map(({ id }) => id);
        const wire: WireMailbox = {
          recent,
          pages: pages.map(({ id, count }) => ({ id, count })),
          garbage: [...garbage, ...unused],
        };
        return {
          bytes: new TextEncoder().encode(JSON.stringify(wire)),
          pages: unstored.map(({ id, messages = [] }) => ({ id, bytes: encodePage(messages) })),
          unused,
          markStored: () => unstored.forEach((page) => (page.isStored = true)),
        };
      },
      decode(bytes) {
        try {
          const { recent, pages, garbage } = JSON.parse(new TextDecoder().decode(bytes)) as WireMailbox;
          const refs = pages.map(({ id, count }) => new MessagePage(count, id, undefined, true));
          return { state: { recent, pages: refs }, garbage };
        } catch (error) {
          throw new BadSnapshot('no mailbox', { cause: error });
        }
      },
      digest: (mailbox) => hashPage(new TextEncoder().encode(JSON.stringify(look(mailbox, '', checked)))),
      async check({ pages }, lookAt) {
        await lookAt(() => messagesOf(pages, checked));
        return pages.length;
      },
    },
  };
}

/** Two pages of the same size become one: the store gets new pages, and old ones to delete. */
function mergeLast(pages: MessagePage[], checked: boolean): MessagePage[] {
  const [one, other] = pages.slice(-2);
  if (!one || !other || one.count !== other.count) return pages;
  return mergeLast([...pages.slice(0, -2), newPage(messagesOf([one, other], checked))], checked);
}

function sum(pages: readonly MessagePage[]): number {
  return pages.reduce((total, { count }) => total + count, 0);
}

const mailboxCodec: EntryCodec<Delivery> = {
  encode: (entry) => new TextEncoder().encode(JSON.stringify(entry)),
  decode(bytes) {
    const entry = JSON.parse(new TextDecoder().decode(bytes)) as LogEntry<Delivery>;
    if (!Array.isArray(entry.actions)) throw new UnreadableEntry('no actions');
    return entry;
  },
};

/** Delivers once: the same delivery key again changes nothing. */
function deliver(
  tx: Transaction<Mailbox, Delivery>,
  delivery: Delivery,
  checked: boolean,
  dedupe: boolean,
): DeliverResult {
  const { recent, pages } = tx.state;
  const same = ({ deliveryKey }: Message) => deliveryKey === delivery.deliveryKey;
  const known = dedupe ? (recent.find(same) ?? messagesOf(pages, checked).find(same)) : undefined;
  const strangers = recent.filter(({ to }) => to !== delivery.to).length;
  const seen = { asOf: tx.seq - 1, strangers };
  if (known) return { id: known.id, duplicate: true, ...seen };
  const at = tx.add(delivery);
  return { id: `${at.seq}.${at.index}`, duplicate: false, ...seen };
}

/** Reads everything. @throws PageMissing */
function look({ recent, pages }: Mailbox, owner: string, checked: boolean): Omit<ReadResult, 'seq'> {
  const messages = [...messagesOf(pages, checked), ...recent];
  return {
    count: messages.length,
    digest: messages.map(hashOf).reduce(addToDigest, 0),
    strangers: messages.filter(({ to }) => to !== owner).length,
  };
}

/** Messages are looked at again and again. */
const hashes = new WeakMap<Message, number>();

function hashOf(message: Message): number {
  let hash = hashes.get(message);
  if (hash === undefined) {
    const { to, deliveryKey, id, timeMs } = message;
    hash = hashText(`${to} ${deliveryKey} ${id} ${timeMs}`);
    hashes.set(message, hash);
  }
  return hash;
}

export const toyMailboxes: Model = modelOf<Mailbox, Delivery>({
  codec: mailboxCodec,
  fold: mailboxFold,
  cacheBytes: [40 * MESSAGE_BYTES, 10_000 * MESSAGE_BYTES],
  deliver,
  look,
  deliveriesOf: (seq, timeMs, actions) =>
    actions.map(({ to, deliveryKey, attempt }, index) => {
      const id = `${seq}.${index}`;
      return { deliveryKey, attempt, id, hash: hashOf({ to, deliveryKey, id, timeMs }) };
    }),
});
