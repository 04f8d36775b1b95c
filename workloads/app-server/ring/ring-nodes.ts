// What a member writes and reads in the ring's registry: its own nodes, and what the others have acknowledged. Every call
// is repeated for as long as its answer is lost and the session lasts.
import { delay, type Clock } from '../../common/clock.ts';
import { CoordinationError, type CoordinationSession } from '../../common/coordination/coordination.ts';
import type { Logger } from '../../common/log.ts';
import { ACKS, encodeMember, NODES } from '../../common/ring/registry.ts';
import type { MemberState, RingMember } from '../../common/ring/ring.ts';
import { decodeAck, encodeAck, type Ack } from './ack.ts';
import type { Changes } from './changes.ts';

/** Between tries of a call that got no answer. */
const RETRY_MS = 50;

/** Watches tell of changes; this is for one that is lost. */
const LOOK_AGAIN_MS = 500;

export type RingIdentity = Omit<RingMember, 'state' | 'session'>;

export type RingNodesOptions = {
  clock: Clock;
  session: CoordinationSession;
  identity: RingIdentity;
  /** Noted when something changed that was read here. */
  changes: Changes;
  /** Aborted when the session is over: then every call throws its reason. */
  lost: AbortSignal;
  logger?: Logger | undefined;
};

export class RingNodes {
  readonly #options: RingNodesOptions;

  constructor(options: RingNodesOptions) {
    this.#options = options;
  }

  /**
   * Creates this member's ephemeral node in a folder; waits for the one of an earlier session of the same name to go.
   * @param state what the node tells of the member; empty when undefined
   * @returns whether it had to wait
   */
  async register(folder: string, state?: MemberState): Promise<boolean> {
    const { session, identity, changes, logger } = this.#options;
    const path = `${folder}/${identity.name}`;
    const data = state ? this.#encoded(state) : new Uint8Array();
    await this.#persist(() => this.#create(folder, new Uint8Array(), false));
    for (let waited = false; ;) {
      const seen = changes.count;
      const created = await this.#persist(() => this.#create(path, data, true));
      if (created) return waited;
      const there = await this.#persist(() => session.get(path, this.#onChange));
      // Ours: the answer to the creation was lost.
      if (there?.stat.ephemeralOwner === session.sessionId) return waited;
      if (!there) continue;
      waited = true;
      logger?.info({ path }, 'waiting for the end of an earlier session of this name');
      await this.pause(seen);
    }
  }

  async hasOthers(): Promise<boolean> {
    const { session, identity } = this.#options;
    const listed = await this.#persist(() => session.children(NODES));
    return listed?.names.some((name) => name !== identity.name) ?? false;
  }

  async publish(state: MemberState): Promise<void> {
    const { session, identity } = this.#options;
    await this.#persist(() => session.set(`${NODES}/${identity.name}`, this.#encoded(state)));
  }

  async acknowledge(ack: Ack): Promise<void> {
    const { session, identity } = this.#options;
    await this.#persist(() => session.set(`${ACKS}/${identity.name}`, encodeAck(ack)));
  }

  /** What a member has acknowledged last; a later one is noted as a change. undefined: nothing yet, or it has gone. */
  async acknowledgementOf(name: string): Promise<Ack | undefined> {
    const node = await this.#persist(() => this.#options.session.get(`${ACKS}/${name}`, this.#onChange));
    return node && decodeAck(node.data);
  }

  /** Until there was a change since `seen` was read, or it is time to look again. */
  async pause(seen: number): Promise<void> {
    const { lost, changes } = this.#options;
    lost.throwIfAborted();
    await changes.since(seen, LOOK_AGAIN_MS);
    lost.throwIfAborted();
  }

  readonly #onChange = () => this.#options.changes.note();

  #encoded(state: MemberState): Uint8Array {
    const { session, identity } = this.#options;
    return encodeMember({ ...identity, state, session: session.sessionId });
  }

  /** @returns whether it was created; false when it was there */
  async #create(path: string, data: Uint8Array, ephemeral: boolean): Promise<boolean> {
    try {
      await this.#options.session.create(path, data, { ephemeral });
      return true;
    } catch (error) {
      if (error instanceof CoordinationError && error.code === 'node-exists') return false;
      throw error;
    }
  }

  /** Repeats a call whose answer was lost, until it is answered or the session ends. The call must bear repeating. */
  async #persist<T>(call: () => Promise<T>): Promise<T> {
    const { clock, lost } = this.#options;
    for (;;) {
      lost.throwIfAborted();
      try {
        const answer = await call();
        lost.throwIfAborted();
        return answer;
      } catch (error) {
        if (!isPassing(error)) throw error;
        await delay(clock, RETRY_MS, lost);
      }
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof CoordinationError && (error.code === 'connection-loss' || error.code === 'timeout');
}
