// The coordinator's sessions: who owns which ephemeral nodes, and when a silent owner is given up.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { MAX_TIMEOUT_MS, MIN_TIMEOUT_MS } from '../../workloads/common/coordination/limits.ts';

/** A handful of processes with a few sessions each; what keeps a mistaken client from eating the launcher's memory. */
const MAX_SESSIONS = 1_000;

export type Session = {
  /** In hexadecimal. */
  id: string;
  secret: string;
  timeoutMs: number;
  ephemerals: Set<string>;
  /** Ends the connection that the session is attached to now. */
  detach: () => void;
  deadline: number;
};

export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #onEnd: (session: Session) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #tickMs: number;
  #lastTick = performance.now();

  /** @param onEnd is called when a session ends, by its own will or by silence */
  constructor(tickMs: number, onEnd: (session: Session) => void) {
    this.#tickMs = tickMs;
    this.#onEnd = onEnd;
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** @returns undefined when there are too many */
  open(timeoutMs: number, detach: () => void): Session | undefined {
    if (this.#sessions.size >= MAX_SESSIONS) return undefined;
    const granted = Math.min(MAX_TIMEOUT_MS, Math.max(MIN_TIMEOUT_MS, Math.round(timeoutMs)));
    const session: Session = {
      id: randomBytes(8).toString('hex').replace(/^0+/, '1'),
      secret: randomBytes(16).toString('hex'),
      timeoutMs: granted,
      ephemerals: new Set(),
      detach,
      deadline: performance.now() + granted,
    };
    this.#sessions.set(session.id, session);
    return session;
  }

  /** Attaches another connection to a session that still lives; the one before is cut. */
  attach(id: string, secret: string, detach: () => void): Session | undefined {
    const session = this.#sessions.get(id);
    if (!session || !sameSecret(session.secret, secret)) return undefined;
    session.detach();
    session.detach = detach;
    this.touch(session);
    return session;
  }

  touch(session: Session): void {
    session.deadline = performance.now() + session.timeoutMs;
  }

  end(session: Session): void {
    if (this.#sessions.delete(session.id)) this.#onEnd(session);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    // This process itself was held up (a sleeping machine, a stopped process): nobody could be heard, so nobody's
    // silence counts. A session may live longer than its timeout, never shorter.
    const lateMs = now - this.#lastTick - this.#tickMs;
    this.#lastTick = now;
    for (const session of this.#sessions.values()) {
      if (lateMs > this.#tickMs) session.deadline += lateMs;
      if (session.deadline >= now) continue;
      this.end(session);
      session.detach();
    }
  }
}

function sameSecret(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
