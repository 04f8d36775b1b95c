// How a cell's members lie in its ZooKeeper, below the cell's chroot:
//   /nodes/<name>   ephemeral: the member itself (RingMember as JSON)
//   /acks/<name>    ephemeral: the members that this one has seen, whose keys it has let go of
//   /leases/<name>  ephemeral: rewritten by its member; an answered write proves that the session lived when it was sent
import type { RingMember } from './ring.ts';

export const NODES = '/nodes';
export const ACKS = '/acks';
export const LEASES = '/leases';

export function encodeMember(member: RingMember): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(member));
}

const STATES = new Set<unknown>(['joining', 'serving', 'draining']);

/** @returns undefined when this is no member: such a node is passed over */
export function decodeMember(data: Uint8Array): RingMember | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    return isMember(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMember(value: unknown): value is RingMember {
  if (typeof value !== 'object' || value === null) return false;
  const member = value as Partial<RingMember>;
  return (
    typeof member.name === 'string' &&
    typeof member.url === 'string' &&
    STATES.has(member.state) &&
    Number.isInteger(member.tokens) &&
    typeof member.session === 'string'
  );
}
