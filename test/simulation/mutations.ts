// Ways to break the system on purpose, each by one of the things that keep it whole. A simulation that does not see them
// proves nothing.
import { ACKS, decodeMember, NODES } from '../../workloads/common/ring/registry.ts';
import type { Ordinal } from '../../workloads/app-server/image/ids.ts';
import { MessageReader } from '../../workloads/app-server/image/message-reader.ts';
import type { MessageAdded } from '../../workloads/app-server/log/actions.ts';
import { PasswordVerifier, type Verdict } from '../../workloads/app-server/logic/credentials.ts';
import { encodeAck } from '../../workloads/app-server/ring/ack.ts';
import type { Clock } from '../../workloads/common/clock.ts';
import type { CoordinationSession } from '../../workloads/common/coordination/coordination.ts';
import type { EntryCodec } from '../../workloads/app-server/log/entry-codec.ts';
import type { OwnershipGate } from '../../workloads/app-server/log/user-log-types.ts';

/** The safeguard that is missing. */
export const MUTATIONS = [
  /** The store takes a second entry of a number. */
  'no compare',
  /** A server believes in its session for ever. */
  'no lease',
  /** A delivery key is not looked for. */
  'no dedupe',
  /** A new owner writes nothing before it serves. */
  'no fence',
  /** A newcomer waits for nobody. */
  'no acks',
  /** A server answers for whatever it is asked. */
  'no gate check',
  /** What was handed over stays in memory. */
  'no release',
  /** An append is acknowledged when it was sent. */
  'no wait',
  /** An append whose answer was lost is taken for not written. */
  'no doubt',
  /** A damaged snapshot has a valid seal. */
  'no snapshot check',
  /** A page is not compared with its name. */
  'no page check',
  /** What was read is remembered without whose it was. */
  'no user in a key',
  /** Entries have the time that the machine's clock shows. */
  'no order of time',
  /** Every password is right. */
  'no password check',
  /** What an image doesn't keep of a message is remembered without whose it was. */
  "no user in a message's key",
  /** Users who were moved to another cell are served as before. */
  'no home check',
] as const;
export type Mutation = (typeof MUTATIONS)[number];

/** Time stands still for who measures the lease. */
export function withoutLease(clock: Clock): Clock {
  return { ...clock, now: () => 0 };
}

/** Everybody seems to have acknowledged everything. */
export function withoutAcks(session: CoordinationSession): CoordinationSession {
  const get = session.get.bind(session);
  session.get = async (path, watcher) => {
    const node = await get(path, watcher);
    if (!path.startsWith(`${ACKS}/`)) return node;
    const member = await get(`${NODES}/${path.slice(ACKS.length + 1)}`);
    const of = member && decodeMember(member.data);
    if (!of || !member) return node;
    const ack = encodeAck({ ringVersion: 0, session: of.session, members: [session.sessionId] });
    return { ...member, data: ack };
  };
  return session;
}

/** Each entry seems to be of our own tenure. */
export function withoutFence<A>(codec: EntryCodec<A>, gate: OwnershipGate): EntryCodec<A> {
  return {
    encode: (entry) => codec.encode(entry),
    decode: (bytes) => {
      const entry = codec.decode(bytes);
      return { ...entry, writer: { ...entry.writer, ...gate.tenure() } };
    },
  };
}

/** The gate stands open. */
export function withoutGate(gate: OwnershipGate): OwnershipGate {
  return { assertOwner() {}, tenure: () => gate.tenure(), redirect: (key) => gate.redirect(key) };
}

/** An entry's time is that of the clock, whatever the one before it says. */
export function withoutOrder<A>(codec: EntryCodec<A>, clock: Clock): EntryCodec<A> {
  return {
    encode: (entry) => codec.encode({ ...entry, timeMs: clock.wall() }),
    decode: (bytes) => codec.decode(bytes),
  };
}

/** Whoever asks gets in. */
export class TrustingVerifier extends PasswordVerifier {
  override verify(): Promise<Verdict> {
    return Promise.resolve({ ok: true });
  }
}

/** One user's message is as good as another's of the same number. */
export class ForgetfulReader extends MessageReader {
  readonly #known = new Map<Ordinal, MessageAdded>();

  override async load(key: string, ids: Iterable<Ordinal>): Promise<Map<Ordinal, MessageAdded>> {
    const wanted = [...ids];
    const missing = wanted.filter((id) => !this.#known.has(id));
    for (const [id, message] of await super.load(key, missing)) this.#known.set(id, message);
    const found = new Map<Ordinal, MessageAdded>();
    for (const id of wanted) {
      const message = this.#known.get(id);
      if (message) found.set(id, message);
    }
    return found;
  }
}
