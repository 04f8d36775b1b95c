// What a simulated cell keeps for its users: a toy that shows at once when something is off, or the real images.
import type { RequestListener } from 'node:http';
import type { Clock } from '../../workloads/common/clock.ts';
import type { EntryCodec } from '../../workloads/app-server/log/entry-codec.ts';
import type { LogStore } from '../../workloads/app-server/log/log-store.ts';
import { UserLogs } from '../../workloads/app-server/log/user-log.ts';
import type {
  Fold,
  Look,
  OwnershipGate,
  Transaction,
} from '../../workloads/app-server/log/user-log-types.ts';
import type { Verified } from '../../workloads/app-server/log/user-log-verify.ts';
import { withoutFence, withoutOrder, type Mutation } from './mutations.ts';

/** One attempt to deliver. */
export type Delivery = {
  to: string;
  deliveryKey: string;
  /** Names the attempt, so that it can be told whether what was refused was written all the same. */
  attempt: string;
};

export type DeliverResult = {
  /** Entry and place in it, `seq.index`. */
  id: string;
  duplicate: boolean;
  /** The newest durable entry that the transaction saw. */
  asOf: number;
  /** Messages, or users, of another's log: there must be none. */
  strangers: number;
};

export type ReadResult = {
  seq: number;
  count: number;
  /** Of all messages in their order: see addToDigest. */
  digest: number;
  /** Messages that were written to another's log: there must be none. */
  strangers: number;
};

/** What an entry on disk says. */
export type Written = {
  timeMs: number;
  deliveries: {
    deliveryKey: string;
    attempt: string;
    id: string;
    /** What a reader sees of the message, in short. */
    hash: number;
  }[];
};

export const addToDigest = (digest: number, hash: number): number =>
  (Math.imul(digest, 1_000_003) + hash) | 0;

export type SimLogsOptions = {
  store: LogStore;
  gate: OwnershipGate;
  clock: Clock;
  /** Chooses between a small cache and a large one. */
  pick: <T>(choices: readonly T[]) => T;
  mutation: Mutation | undefined;
  /** Does the server serve, and hold its lease? */
  serves: () => boolean;
};

/** A server's API. */
export type Door = {
  app: RequestListener;
  gaveUp(): void;
  close(): void;
};

/** The logs of one server. */
export type SimLogs = {
  deliver(delivery: Delivery): Promise<DeliverResult>;
  /** @param again called between two looks at the same image, which must see the same */
  read(key: string, again: (() => Promise<void>) | undefined): Promise<ReadResult & { changed: boolean }>;
  release(predicate: (key: string) => boolean): Promise<void>;
  saveSnapshots(deadlineMs: number): Promise<void>;
  openKeys(): string[];
  readAhead(keys: readonly string[]): Promise<void>;
  regenerate(key: string): Promise<void>;
  verify(key: string): Promise<Verified>;
  /** Undefined where users are toys. */
  door: Door | undefined;
  close(): Promise<void>;
};

export type Model = {
  openLogs(options: SimLogsOptions): SimLogs;
  /** @throws when the bytes are no entry */
  decode(seq: number, bytes: Uint8Array): Written;
};

export type ModelParts<S, A> = {
  codec: EntryCodec<A>;
  /** @param checked false: a mutation: damaged pages are taken as they are */
  fold(checked: boolean): Fold<S, A>;
  /** Small, so that images are evicted and opened again; or so large that old ones stay, if nobody drops them. */
  cacheBytes: readonly number[];
  /** Delivers once: the same delivery key again changes nothing. @param dedupe false: a mutation: it does */
  deliver(tx: Transaction<S, A>, delivery: Delivery, checked: boolean, dedupe: boolean): DeliverResult;
  /** Reads everything. @throws PageMissing */
  look(state: S, owner: string, checked: boolean): Omit<ReadResult, 'seq'>;
  /** The deliveries among the actions of an entry. */
  deliveriesOf(seq: number, timeMs: number, actions: readonly A[]): Written['deliveries'];
  isServedHere?: (state: S) => boolean;
  openDoor?: (logs: UserLogs<S, A>, options: SimLogsOptions) => Door;
};

export function modelOf<S, A>(parts: ModelParts<S, A>): Model {
  return {
    openLogs: (options) => openLogs(parts, options),
    decode(seq, bytes) {
      const { timeMs, actions } = parts.codec.decode(bytes);
      return { timeMs, deliveries: parts.deliveriesOf(seq, timeMs, actions) };
    },
  };
}

function openLogs<S, A>(
  { codec, fold, cacheBytes, deliver, look, isServedHere, openDoor }: ModelParts<S, A>,
  options: SimLogsOptions,
): SimLogs {
  const { store, gate, clock, pick, mutation } = options;
  const checked = mutation !== 'no page check';
  const logs = new UserLogs<S, A>({
    store,
    codec:
      mutation === 'no fence'
        ? withoutFence(codec, gate)
        : mutation === 'no order of time'
          ? withoutOrder(codec, clock)
          : codec,
    fold: fold(checked),
    gate,
    clock,
    cacheBytes: pick(cacheBytes),
    isServedHere: mutation === 'no home check' ? undefined : isServedHere,
  });
  const door = openDoor?.(logs, options);
  return {
    door,
    deliver: (delivery) =>
      logs.write(delivery.to, (tx) => deliver(tx, delivery, checked, mutation !== 'no dedupe')),
    read: (key, again) =>
      logs.read(key, async (state, seq, loading: Look) => {
        const lookNow = () => loading(() => look(state, key, checked));
        const first = await lookNow();
        await again?.();
        const changed = again !== undefined && (await lookNow()).digest !== first.digest;
        return { ...first, seq, changed };
      }),
    release: (predicate) => logs.release(predicate),
    saveSnapshots: (deadlineMs) => logs.saveSnapshots(deadlineMs),
    openKeys: () => logs.openKeys(),
    readAhead: (keys) => logs.readAhead(keys),
    regenerate: async (key) => void (await logs.regenerate(key)),
    verify: (key) => logs.verify(key, () => {}),
    async close() {
      door?.close();
      await logs.close();
    },
  };
}
