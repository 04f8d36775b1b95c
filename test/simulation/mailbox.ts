// The smallest mailbox that can go wrong: messages with delivery keys in the order of their arrival, the older ones in
// pages that are merged as they grow.
import { hashPage } from '../../workloads/app-server/image/pages/page.ts';
import type { EntryCodec, LogEntry } from '../../workloads/app-server/log/entry-codec.ts';
import { UnreadableEntry } from '../../workloads/app-server/log/entry-codec.ts';
import { BadSnapshot, type Fold, type Transaction } from '../../workloads/app-server/log/user-log-types.ts';
import { encodePage, MessagePage, messagesOf, newPage, type Message } from './mailbox-pages.ts';

/** What a message is said to take: so much that a few of them make a snapshot due and older pages be put away. */
export const MESSAGE_BYTES = 200_000;

/** Messages that are in no page: the newest. */
const MAX_RECENT = 6;
const PAGE_MESSAGES = 4;

export type Mailbox = {
  readonly recent: readonly Message[];
  /** Oldest first. */
  readonly pages: readonly MessagePage[];
};

/** One attempt to deliver. */
export type Delivery = {
  to: string;
  deliveryKey: string;
  /** Names the attempt, so that it can be told whether what was refused was written all the same. */
  attempt: string;
};

type WireMailbox = {
  recent: readonly Message[];
  pages: readonly { id: string; count: number }[];
  garbage: readonly string[];
};

/** @param checked false: a mutation: damaged pages are taken as they are */
export function mailboxFold(checked = true): Fold<Mailbox, Delivery> {
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
      digest: (mailbox) => hashPage(new TextEncoder().encode(JSON.stringify(look(mailbox, 0, '', checked)))),
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

export const mailboxCodec: EntryCodec<Delivery> = {
  encode: (entry) => new TextEncoder().encode(JSON.stringify(entry)),
  decode(bytes) {
    const entry = JSON.parse(new TextDecoder().decode(bytes)) as LogEntry<Delivery>;
    if (!Array.isArray(entry.actions)) throw new UnreadableEntry('no actions');
    return entry;
  },
};

export type DeliverResult = {
  id: string;
  duplicate: boolean;
  /** The newest durable entry that the transaction saw. */
  asOf: number;
  /** Messages among the newest that were written to another's log: there must be none. */
  strangers: number;
};

/** Delivers once: the same delivery key again changes nothing. */
export function deliver(
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

export type ReadResult = {
  seq: number;
  count: number;
  /** Of all messages in their order. */
  digest: number;
  /** Messages that were written to another's log: there must be none. */
  strangers: number;
};

/** Reads everything. @throws PageMissing */
export function look({ recent, pages }: Mailbox, seq: number, owner: string, checked: boolean): ReadResult {
  const messages = [...messagesOf(pages, checked), ...recent];
  return {
    seq,
    count: messages.length,
    digest: messages.reduce(addToDigest, 0),
    strangers: messages.filter(({ to }) => to !== owner).length,
  };
}

/** Messages are looked at again and again. */
const hashes = new WeakMap<Message, number>();

export function addToDigest(digest: number, message: Message): number {
  let hash = hashes.get(message);
  if (hash === undefined) {
    const { to, deliveryKey, id, timeMs } = message;
    hash = 0;
    for (const char of `${to} ${deliveryKey} ${id} ${timeMs}`)
      hash = (Math.imul(hash, 31) + char.charCodeAt(0)) | 0;
    hashes.set(message, hash);
  }
  return (Math.imul(digest, 1_000_003) + hash) | 0;
}
