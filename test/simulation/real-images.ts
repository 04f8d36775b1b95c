// The real thing in the simulation: images, their pages and snapshots, the codec of entries, and the delivery of the app server.
// Of a message an image keeps its time and size: whose it is and which delivery made it are told by these.
import { decodeEmail } from '../../workloads/app-server/image/email-record.ts';
import { imageFold } from '../../workloads/app-server/image/fold.ts';
import { indexOf, ordinal, parseEmailId, seqOf, type Ordinal } from '../../workloads/app-server/image/ids.ts';
import { asUser, isAtHome, type Image } from '../../workloads/app-server/image/model.ts';
import { decodePage, type PageRef } from '../../workloads/app-server/image/pages/page.ts';
import { imageSnapshots } from '../../workloads/app-server/image/snapshot.ts';
import { message } from '../../workloads/app-server/image/testing.ts';
import type { Action } from '../../workloads/app-server/log/actions.ts';
import { entryCodec } from '../../workloads/app-server/log/entry.ts';
import { PageLost, PageMissing, type ReadPages } from '../../workloads/app-server/log/page-missing.ts';
import type { Fold } from '../../workloads/app-server/log/user-log-types.ts';
import * as logic from '../../workloads/app-server/logic/delivery.ts';
import { createUser, type Tx } from '../../workloads/app-server/logic/users.ts';
import { hashText } from './hash-text.ts';
import { addressOf, credentialsOf, markOf, userIdOf } from './people.ts';
import { CELL, openDoor } from './real-door.ts';
import {
  addToDigest,
  modelOf,
  type Delivery,
  type DeliverResult,
  type Model,
  type ReadResult,
} from './model.ts';

/** Images of a few messages are said to take so many times their memory: a few deliveries make a snapshot due. */
const SIZE_FACTOR = 150;
/** Of some images; of all. */
const CACHE_BYTES = [30_000_000, 4_000_000_000];
/** Users who begin with so many messages that their snapshots have pages beside them. */
const IS_LARGE = /^user:u[0-2]$/;
const EARLIER_MESSAGES = 800;
const BLOB = '00'.repeat(32);

function sizedFold(checked: boolean): Fold<Image, Action> {
  const fold = checked ? imageFold : withoutChecks;
  return {
    ...fold,
    size(image) {
      const { bytes, unsavedBytes } = fold.size(image);
      return { bytes: bytes * SIZE_FACTOR, unsavedBytes: unsavedBytes * SIZE_FACTOR };
    },
    unload: (image, bytesToKeep) => fold.unload?.(image, bytesToKeep / SIZE_FACTOR),
  };
}

/** A mutation: a page is taken as it is, whatever its name says. */
class Unchecked extends PageMissing {
  readonly #refs: readonly PageRef[];

  constructor(refs: readonly PageRef[]) {
    super('pages are not in memory');
    this.#refs = refs;
  }

  override async load(read: ReadPages): Promise<void> {
    const found = await read(this.#refs.map(({ id = '' }) => id));
    for (const [index, ref] of this.#refs.entries()) {
      const bytes = found[index];
      if (!bytes) throw new PageLost('a page is gone');
      ref.page = decodePage(bytes);
    }
  }
}

function unchecked<T>(look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof PageMissing) || !('refs' in error)) throw error;
    throw new Unchecked((error.refs as PageRef[]).filter(({ page }) => !page));
  }
}

const withoutChecks: Fold<Image, Action> = {
  ...imageFold,
  apply: (...given) => unchecked(() => imageFold.apply(...given)),
  snapshots: {
    ...imageSnapshots,
    encode: (...given) => unchecked(() => imageSnapshots.encode(...given)),
    digest: (image) => unchecked(() => imageSnapshots.digest(image)),
    check: (image, look) => imageSnapshots.check(image, (work) => look(() => unchecked(work))),
  },
};

function deliver(
  tx: Tx,
  { to, deliveryKey, attempt }: Delivery,
  checked: boolean,
  dedupe: boolean,
): DeliverResult {
  const { state, seq } = tx;
  const user = asUser(state)?.user;
  const userId = userIdOf(to);
  const strangers = user && user.userId !== userId ? 1 : 0;
  const profile = { userId, addresses: [addressOf(userId)], displayName: markOf(userId) };
  const put = (onto: Tx, name: string, lookedFor: string): ReturnType<typeof logic.deliver> =>
    logic.deliver(onto, {
      deliveryKey: lookedFor,
      receivedAtMs: timeOf(name),
      envelope: { mailFrom: attempt, rcptTo: profile.addresses },
      channel: 'email',
      message: message({
        messageId: [name],
        references: [threadOf(name)],
        subject: `A letter ${markOf(userId)}`,
        to: [{ name: null, email: addressOf(userId) }],
      }),
      sizeBytes: sizeOf(to),
      body: { kind: 'blob', sha256: BLOB },
    });
  if (!user) {
    createUser(tx, CELL, profile, credentialsOf(userId));
    const earlier = IS_LARGE.test(to) ? EARLIER_MESSAGES : 0;
    for (let n = 0; n < earlier; n++) put(tx, `earlier-${n}`, `earlier-${n}`);
  }
  const run = (): ReturnType<typeof logic.deliver> =>
    dedupe ? put(tx, deliveryKey, deliveryKey) : put(forgetful(tx, deliveryKey), deliveryKey, attempt);
  const result = checked ? run() : unchecked(run);
  if (typeof result === 'string') throw new Error(result);
  const id = idOf(parseEmailId(result.emailId) ?? 0);
  return { id, duplicate: result.duplicate, asOf: seq - 1, strangers };
}

/** A mutation: what is looked for is the attempt, which nobody has seen. */
function forgetful(tx: Tx, deliveryKey: string): Tx {
  return {
    get state() {
      return tx.state;
    },
    seq: tx.seq,
    timeMs: tx.timeMs,
    add: (action) => tx.add(action.type === 'messageAdded' ? { ...action, deliveryKey } : action),
    addBody: (bytes) => tx.addBody(bytes),
  };
}

/** Every few deliveries of a client are a thread. */
const threadOf = (deliveryKey: string): string => deliveryKey.slice(0, -1);
const idOf = (at: Ordinal): string => `${seqOf(at)}.${indexOf(at)}`;
const sizeOf = (owner: string): number => hashText(owner) >>> 0;
const timeOf = (deliveryKey: string): number => hashText(deliveryKey) >>> 0;
/** Large mailboxes are read again and again: no texts here. */
const hashOf = (at: Ordinal, sizeBytes: number, receivedAtMs: number): number =>
  (Math.imul(seqOf(at), 31) + Math.imul(indexOf(at), 961) + Math.imul(sizeBytes, 7) + receivedAtMs) | 0;

function look(image: Image, owner: string, checked: boolean): Omit<ReadResult, 'seq'> {
  const result = { count: 0, digest: 0, strangers: 0 };
  if (image.kind !== 'user') throw new Error(`${owner} is an address`);
  const run = (): Omit<ReadResult, 'seq'> => {
    for (const record of image.emails.range()) {
      const { id, sizeBytes, receivedAtMs } = decodeEmail(image, record);
      result.count++;
      result.digest = addToDigest(result.digest, hashOf(id, sizeBytes, receivedAtMs));
      if (sizeBytes !== sizeOf(owner)) result.strangers++;
    }
    return result;
  };
  return checked ? run() : unchecked(run);
}

export const realImages: Model = modelOf<Image, Action>({
  codec: entryCodec,
  fold: sizedFold,
  cacheBytes: CACHE_BYTES,
  deliver,
  look,
  isServedHere: (image) => isAtHome(image, CELL),
  openDoor,
  deliveriesOf: (seq, _timeMs, actions) =>
    actions.flatMap((action, index) => {
      if (action.type !== 'messageAdded') return [];
      const { deliveryKey, sizeBytes, receivedAtMs, envelope } = action;
      const at = ordinal({ seq, index });
      const hash = hashOf(at, sizeBytes, receivedAtMs);
      return [{ deliveryKey, attempt: envelope.mailFrom, id: idOf(at), hash }];
    }),
});
