// The smallest mailbox that can go wrong: messages with delivery keys, in the order of their arrival.
import type { EntryCodec, LogEntry } from '../../workloads/app-server/log/entry-codec.ts';
import { UnreadableEntry } from '../../workloads/app-server/log/entry-codec.ts';
import type { Fold, Transaction } from '../../workloads/app-server/log/user-log-types.ts';

type Delivered = { deliveryKey: string; id: string };

export type Mailbox = {
  readonly messages: readonly Delivered[];
  readonly ids: ReadonlyMap<string, string>;
  /** Of everything that was delivered, in order. */
  readonly digest: number;
};

/** One attempt to deliver. */
export type Delivery = {
  deliveryKey: string;
  /** Names the attempt, so that it can be told whether what was refused was written all the same. */
  attempt: string;
};

export const mailboxFold: Fold<Mailbox, Delivery> = {
  empty: () => ({ messages: [], ids: new Map(), digest: 0 }),
  apply(mailbox, { deliveryKey }, at) {
    const id = `${at.seq}.${at.index}`;
    let { digest } = mailbox;
    for (const char of `${deliveryKey} ${id} ${at.timeMs}`)
      digest = (Math.imul(digest, 31) + char.charCodeAt(0)) | 0;
    return {
      messages: [...mailbox.messages, { deliveryKey, id }],
      ids: new Map(mailbox.ids).set(deliveryKey, id),
      digest,
    };
  },
  size: (mailbox) => ({ bytes: 100 * mailbox.messages.length, unsavedBytes: 0 }),
};

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
};

/** Delivers once: the same delivery key again changes nothing. */
export function deliver(
  tx: Transaction<Mailbox, Delivery>,
  delivery: Delivery,
  dedupe = true,
): DeliverResult {
  const known = dedupe ? tx.state.ids.get(delivery.deliveryKey) : undefined;
  const asOf = tx.seq - 1;
  if (known !== undefined) return { id: known, duplicate: true, asOf };
  const at = tx.add(delivery);
  return { id: `${at.seq}.${at.index}`, duplicate: false, asOf };
}

export type ReadResult = { seq: number; count: number; digest: number };

export function look(mailbox: Mailbox, seq: number): ReadResult {
  return { seq, count: mailbox.messages.length, digest: mailbox.digest };
}
