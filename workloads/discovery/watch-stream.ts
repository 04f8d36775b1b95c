// GET /v1/watch: the whole state, then every change, a JSON object a line.
import type { Request, Response } from 'express';
import { type DirectoryMessage, PING_MS } from '../common/cell-client/directory-messages.ts';
import { sendProblem } from '../common/http/server.ts';
import type { DiscoveryState } from './state.ts';

/** Every process of the platform has one; more are refused. */
const MAX_STREAMS = 5_000;
/** A subscriber that is so far behind is cut off: it connects again and starts from a snapshot. */
const MAX_BEHIND_BYTES = 16 * 1024 * 1024;

export class WatchStreams {
  readonly #state: DiscoveryState;
  readonly #streams = new Set<Response>();
  readonly #unsubscribe: () => void;
  readonly #pings: NodeJS.Timeout;

  constructor(state: DiscoveryState) {
    this.#state = state;
    this.#unsubscribe = state.subscribe((message) => this.#broadcast(message));
    this.#pings = setInterval(() => this.#broadcast({ type: 'ping' }), PING_MS);
  }

  get count(): number {
    return this.#streams.size;
  }

  open(_request: Request, response: Response): void {
    if (this.#streams.size >= MAX_STREAMS) {
      sendProblem(response, 503, 'about:blank', `There are ${MAX_STREAMS} subscribers already.`);
      return;
    }
    response.status(200).type('application/x-ndjson').set({
      'cache-control': 'no-store',
      // So that the end of the stream ends the connection, and nobody waits for it when this process closes.
      connection: 'close',
    });
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
    // A subscriber that has gone is no error.
    response.on('error', () => this.#streams.delete(response));
    response.write(encode(this.#state.snapshot()));
  }

  /** Ends all streams; the subscribers come back elsewhere. */
  close(): void {
    this.#unsubscribe();
    clearInterval(this.#pings);
    for (const response of this.#streams) response.end();
  }

  #broadcast(message: DirectoryMessage): void {
    if (this.#streams.size === 0) return;
    const line = encode(message);
    for (const response of this.#streams) {
      response.write(line);
      if (response.writableLength > MAX_BEHIND_BYTES) response.destroy();
    }
  }
}

function encode(message: DirectoryMessage): string {
  return `${JSON.stringify(message)}\n`;
}
