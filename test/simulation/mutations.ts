// Ways to break the system on purpose, each by one of the things that keep it whole. A simulation that does not see them
// proves nothing.
import { ACKS, decodeMember, NODES } from '../../workloads/common/ring/registry.ts';
import { encodeAck } from '../../workloads/app-server/ring/ack.ts';
import type { Clock } from '../../workloads/common/clock.ts';
import type { CoordinationSession } from '../../workloads/common/coordination/coordination.ts';
import type { EntryCodec } from '../../workloads/app-server/log/entry-codec.ts';
import type { OwnershipGate } from '../../workloads/app-server/log/user-log-types.ts';

/** The safeguard that is missing. 'no compare': the store takes a second entry of a number; 'no dedupe': of a delivery key. */
export const MUTATIONS = ['no compare', 'no lease', 'no dedupe', 'no fence', 'no acks'] as const;
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
