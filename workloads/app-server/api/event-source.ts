// Push of state changes over an event stream (RFC 8620 section 7.3).
import type { Request, Response } from 'express';
import { every, type Clock, type Timer } from '../../common/clock.ts';
import { stateString } from '../image/ids.ts';
import { countsChangedAt } from '../image/counts.ts';
import { isAtHome, type UserImage } from '../image/model.ts';
import type { OwnershipGate } from '../log/user-log-types.ts';
import type { ApiMetrics } from './metrics.ts';
import type { Logs } from './services.ts';

/** Bounds of the interval that a client may ask for. */
const MIN_PING_SECONDS = 1;
const MAX_PING_SECONDS = 900;
/** A client that lets this much lie unread is cut off; it connects again when it can. */
const MAX_UNREAD_BYTES = 64 * 1024;
/** How soon a stream ends after its user went to another server. */
const OWNER_CHECK_MS = 250;

type States = Record<string, string>;

function statesOf(image: UserImage): States {
  return {
    Counts: stateString(countsChangedAt(image)),
    Email: stateString(image.emailsChangedAt),
    Friend: stateString(image.friendsChangedAt),
    PrivacySettings: stateString(image.privacyChangedAt),
    FilingSettings: stateString(image.filing.changedAt),
    EmailDelivery: stateString(image.lastDeliveryAt),
    Mailbox: stateString(image.mailboxesChangedAt),
    Thread: stateString(image.threadsChangedAt),
  };
}

type Stream = {
  key: string;
  userId: string;
  response: Response;
  /** Undefined: all types. */
  types: ReadonlySet<string> | undefined;
  closeAfterState: boolean;
  sent: States;
};

export type EventSourceOptions = {
  types: ReadonlySet<string> | undefined;
  closeAfterState: boolean;
  pingSeconds: number;
};

/** @returns undefined when an argument is not what section 7.3 says */
export function parseEventSourceQuery(query: Request['query']): EventSourceOptions | undefined {
  const { types = '*', closeafter = 'no', ping = '0' } = query;
  if (typeof types !== 'string' || types.length > 1024) return undefined;
  if (closeafter !== 'no' && closeafter !== 'state') return undefined;
  if (typeof ping !== 'string' || !/^\d{1,9}$/.test(ping)) return undefined;
  const seconds = Number(ping);
  return {
    types: types === '*' ? undefined : new Set(types.split(',')),
    closeAfterState: closeafter === 'state',
    pingSeconds: seconds === 0 ? 0 : Math.min(MAX_PING_SECONDS, Math.max(MIN_PING_SECONDS, seconds)),
  };
}

export class EventStreams {
  readonly #logs: Logs;
  readonly #gate: OwnershipGate;
  readonly #cell: string;
  readonly #metrics: ApiMetrics;
  readonly #clock: Clock;
  readonly #streams = new Map<string, Set<Stream>>();
  readonly #stopListening: () => void;
  readonly #ownerCheck: Timer;

  constructor(options: { logs: Logs; gate: OwnershipGate; cell: string; metrics: ApiMetrics; clock: Clock }) {
    this.#clock = options.clock;
    this.#cell = options.cell;
    this.#logs = options.logs;
    this.#gate = options.gate;
    this.#metrics = options.metrics;
    this.#stopListening = this.#logs.onAppended((key, _seq, image) => {
      const streams = this.#streams.get(key);
      if (!streams || image.kind !== 'user') return;
      for (const stream of streams) {
        if (isAtHome(image, this.#cell)) this.#push(stream, statesOf(image));
        else this.#end(stream, 'moved');
      }
    });
    this.#ownerCheck = every(this.#clock, OWNER_CHECK_MS, () => this.#endLost());
  }

  /** How many streams the user has open. */
  count(key: string): number {
    return this.#streams.get(key)?.size ?? 0;
  }

  /**
   * Answers with a stream that lasts until either side ends it. A client that comes back names the last event that it
   * saw (Last-Event-ID) and gets at once what changed since then.
   * @throws what reading the user's log throws, before anything is sent
   */
  async open(
    key: string,
    userId: string,
    options: EventSourceOptions,
    response: Response,
    lastEventId: string | undefined,
  ): Promise<void> {
    const { types, closeAfterState, pingSeconds } = options;
    const seen = parseEventId(lastEventId);
    const stream: Stream = { key, userId, response, types, closeAfterState, sent: seen ?? {} };
    // setHeader: express's set would add a charset to the type.
    response.status(200).setHeader('Content-Type', 'text/event-stream');
    response.set({ 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
    // Registered in the very moment in which the states are read: no change falls between.
    const now = await this.#logs
      .read(key, (image) => {
        const states = image.kind === 'user' ? statesOf(image) : {};
        if (!seen) stream.sent = states;
        this.#add(stream);
        return states;
      })
      .catch((error: unknown) => {
        this.#remove(stream);
        throw error;
      });
    const closed = this.#metrics.streamOpened();
    const ping =
      pingSeconds === 0
        ? undefined
        : every(this.#clock, pingSeconds * 1000, () => this.#ping(stream, pingSeconds));
    response.once('close', () => {
      ping?.cancel();
      closed();
      this.#remove(stream);
    });
    response.flushHeaders();
    if (response.destroyed) response.emit('close');
    // An id alone is no event to a client, but what it (or a door before it) names when it comes back.
    this.#send(stream, `id: ${eventId(seen ?? now)}\n\n`);
    if (seen && !response.writableEnded) this.#push(stream, now);
  }

  #add(stream: Stream): void {
    const streams = this.#streams.get(stream.key) ?? new Set();
    this.#streams.set(stream.key, streams.add(stream));
  }

  #remove(stream: Stream): void {
    const streams = this.#streams.get(stream.key);
    streams?.delete(stream);
    if (streams?.size === 0) this.#streams.delete(stream.key);
  }

  #push(stream: Stream, now: States): void {
    const changed = Object.entries(now).filter(
      ([type, state]) => (stream.types?.has(type) ?? true) && stream.sent[type] !== state,
    );
    stream.sent = now;
    if (changed.length === 0) return;
    const data = { '@type': 'StateChange', changed: { [stream.userId]: Object.fromEntries(changed) } };
    this.#send(stream, `event: state\nid: ${eventId(now)}\ndata: ${JSON.stringify(data)}\n\n`);
    if (stream.closeAfterState) stream.response.end();
  }

  #ping(stream: Stream, interval: number): void {
    this.#send(stream, `event: ping\ndata: ${JSON.stringify({ interval })}\n\n`);
  }

  #send(stream: Stream, text: string): void {
    if (stream.response.writableEnded) return;
    if (stream.response.writableLength > MAX_UNREAD_BYTES) stream.response.destroy();
    else stream.response.write(text);
  }

  /** Ends the streams of users that this server no longer serves: their clients find the new owner. */
  #endLost(): void {
    for (const [key, streams] of this.#streams) {
      try {
        this.#gate.assertOwner(key);
      } catch {
        for (const stream of streams) this.#end(stream, 'moved');
      }
    }
  }

  #end(stream: Stream, reason: string): void {
    this.#send(stream, `event: end\ndata: ${JSON.stringify({ reason })}\n\n`);
    stream.response.end();
  }

  /** Ends all streams. May be called twice. */
  close(): void {
    this.#stopListening();
    this.#ownerCheck.cancel();
    for (const streams of this.#streams.values()) for (const stream of streams) this.#end(stream, 'closing');
  }
}

function eventId(states: States): string {
  return Object.entries(states)
    .map(([type, state]) => `${type}:${state}`)
    .join(',');
}

function parseEventId(text: string | undefined): States | undefined {
  if (!text || !/^[A-Za-z]+:s[\d-]+(?:,[A-Za-z]+:s[\d-]+){0,9}$/.test(text)) return undefined;
  return Object.fromEntries(text.split(',').map((pair) => pair.split(':') as [string, string]));
}
