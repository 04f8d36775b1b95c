// What a member writes to /acks/<its name> each time it has seen a change of the ring and acted upon it.

export type Ack = {
  /** Of the view that it speaks of. */
  ringVersion: number;
  /** Who says so. */
  session: string;
  /** The members that counted in that view. The writer has let go of everything that belongs to one of these. */
  members: string[];
};

export function encodeAck(ack: Ack): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(ack));
}

/** @returns undefined when this is no ack */
export function decodeAck(data: Uint8Array): Ack | undefined {
  try {
    const ack = JSON.parse(new TextDecoder().decode(data)) as Partial<Ack> | null;
    if (!ack || typeof ack.session !== 'string' || !Array.isArray(ack.members)) return undefined;
    return { ringVersion: Number(ack.ringVersion), session: ack.session, members: ack.members };
  } catch {
    return undefined;
  }
}
