// JMAP's event stream (RFC 8620 section 7.3), for a browser that stays while app servers come and go: when the upstream
// ends, another is opened at the user's owner of then, from the last event on.
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Response } from 'express';

/** An event is a few hundred bytes; a stream without an end of one is none. */
const MAX_EVENT_BYTES = 64 * 1024;
/** Before the owner is asked again: after a stream that ended, and after a try that failed. */
const MOVED_PAUSE_MS = 20;
const RECONNECT_PAUSE_MS = 250;
/** When nothing is found for so long, the client is let go; it comes back by itself. */
const RECONNECT_DEADLINE_MS = 60_000;
/** A client that takes nothing for so long is gone. */
const DRAIN_DEADLINE_MS = 60_000;

export type Upstream = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable;
};

export type EventStreamOptions = {
  /** Opens the stream at the owner; `lastEventId` undefined for the first. */
  open: (lastEventId: string | undefined, signal: AbortSignal) => Promise<Upstream>;
  /** True when the client asked for the end after the first state event (`closeafter=state`). */
  closeAfterState: boolean;
  lastEventId: string | undefined;
  /** Aborted when this door closes. */
  signal: AbortSignal;
};

/**
 * Keeps a client's stream filled until the client leaves, the door closes or the app server refuses.
 * @returns the refusal, unsent, when the first upstream is none: its body is still to be read
 */
export async function keepEventStream(
  response: Response,
  options: EventStreamOptions,
): Promise<Upstream | undefined> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, options.signal]);
  let lastEventId = options.lastEventId;
  let lostAtMs = Date.now();
  while (!signal.aborted) {
    let pauseMs = RECONNECT_PAUSE_MS;
    const upstream = await options.open(lastEventId, signal).catch((error: unknown) => {
      if (!response.headersSent && !signal.aborted) throw error;
      return undefined;
    });
    if (upstream?.status === 200) {
      sendHeaders(response);
      const end = await relay(upstream.body, response, options.closeAfterState, (id) => (lastEventId = id));
      if (end === 'done') break;
      lostAtMs = Date.now();
      pauseMs = MOVED_PAUSE_MS;
    } else if (upstream && !response.headersSent) return upstream;
    else if (upstream && upstream.status < 500) break;
    if (Date.now() - lostAtMs > RECONNECT_DEADLINE_MS) break;
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  response.end();
  return undefined;
}

function sendHeaders(response: Response): void {
  if (response.headersSent) return;
  response.status(200).set({
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    // For nginx, which would keep events back.
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
}

/** Passes on whole events only: half a one would swallow the first of the next upstream. */
async function relay(
  body: Readable,
  response: Response,
  closeAfterState: boolean,
  onId: (id: string) => void,
): Promise<'done' | 'lost'> {
  let pending = '';
  try {
    body.setEncoding('utf8');
    for await (const text of body) {
      pending += String(text);
      let rest = pending;
      for (let end = endOfEvent(rest); end > 0; end = endOfEvent(rest)) {
        const event = rest.slice(0, end);
        rest = rest.slice(end);
        const id = /^id: ?(.*)$/m.exec(event)?.[1];
        if (id !== undefined) onId(id);
        // The app server says that it gives the user away; the client need not know.
        if (/^event: ?end$/m.test(event)) return 'lost';
        await write(response, event);
        if (closeAfterState && /^event: ?state$/m.test(event)) return 'done';
      }
      pending = rest;
      if (pending.length > MAX_EVENT_BYTES) return 'lost';
    }
    return 'lost';
  } catch {
    return 'lost';
  } finally {
    body.destroy();
  }
}

/** @returns the length of the first event with its empty line; 0 when it isn't whole */
function endOfEvent(text: string): number {
  const match = /\r?\n\r?\n/.exec(text);
  return match ? match.index + match[0].length : 0;
}

async function write(response: Response, event: string): Promise<void> {
  if (response.write(event) || response.destroyed) return;
  const late = new AbortController();
  const drained = new Promise<void>((resolve) => {
    response.once('drain', resolve);
    response.once('close', resolve);
  });
  const timer = delay(DRAIN_DEADLINE_MS, undefined, { signal: late.signal }).then(
    () => response.destroy(),
    () => undefined,
  );
  await Promise.race([drained, timer]);
  late.abort();
}
