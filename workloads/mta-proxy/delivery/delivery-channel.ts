// The near side of a delivery channel to one app server: many deliveries under way at once over one connection.
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { judgeRefusal } from '../../common/cell-client/verdict.ts';
import type { AttemptResult } from '../../common/cell-client/sender.ts';
import {
  decodeAnswer,
  DELIVERY_PATH,
  DELIVERY_PROTOCOL,
  encodeDelivery,
  type Answer,
  type DeliveryHeader,
} from '../../common/delivery/delivery-wire.ts';
import { FrameReader, FrameWriter } from '../../common/delivery/frames.ts';
import { NumberMap } from '../../common/number-map.ts';
import { bearer } from '../../common/http/platform-token.ts';
import { traceHeaders } from '../../common/tracing.ts';

/** Until the channel is open: an app server that is there answers in milliseconds. */
const OPEN_TIMEOUT_MS = 2_000;
/** Deliveries that wait for their answers, and bytes that wait to be sent: beyond these the server doesn't keep up. */
export const MAX_WAITING = 4_000;
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
/** A channel that nobody needs is ended before the server's own limit. */
const IDLE_TIMEOUT_MS = 60_000;

export type OutgoingDelivery = Omit<DeliveryHeader, 'number' | 'traceparent'> & {
  /** The message's bytes; empty when they are a blob. */
  bytes: Uint8Array;
};

type Waiting = { resolve: (answer: Answer) => void; reject: (error: Error) => void };
type Open = { socket: Socket; writer: FrameWriter };

/** The connection was lost, or given up: whether the delivery is stored is not known. */
class ChannelLost extends Error {
  override name = 'ChannelLost';
}

export class DeliveryChannel {
  readonly #url: URL;
  readonly #token: string;
  readonly #onGone: () => void;
  readonly #waiting = new NumberMap<Waiting>();
  readonly #opening: Promise<Open>;
  #open: Open | undefined;
  #nextNumber = 1;
  #isGone = false;

  /** @param onGone it must not be used any more */
  constructor(url: URL, token: string, onGone: () => void) {
    this.#url = url;
    this.#token = token;
    this.#onGone = onGone;
    this.#opening = this.#connect();
    this.#opening.catch(() => this.#end(new ChannelLost('the app server opened no channel')));
  }

  /**
   * Resolves with the server's answer, or why the delivery must be made again.
   * @throws ChannelLost, errors of connecting, the signal's reason
   */
  async send(delivery: OutgoingDelivery, ending: AbortSignal): Promise<AttemptResult<Answer>> {
    const open = this.#open ?? (await this.#opening);
    ending.throwIfAborted();
    if (this.#waiting.size >= MAX_WAITING || open.writer.waitingBytes >= MAX_UNSENT_BYTES)
      return { verdict: { kind: 'later', waitMs: 0 }, why: 'too many deliveries wait for it' };
    const answer = await this.#exchange(open, delivery, ending);
    if (answer.status !== 421 && answer.status !== 503) return { response: answer };
    const verdict = judgeRefusal(answer.status, undefined, answer.problem);
    return { verdict, why: `${answer.status} ${answer.problem.slice(0, 200)}` };
  }

  /** Deliveries without an answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Cuts the connection; what waits is lost. */
  destroy(): void {
    this.#end(new ChannelLost('the channel was closed'));
  }

  #exchange({ writer }: Open, delivery: OutgoingDelivery, ending: AbortSignal): Promise<Answer> {
    const { bytes, ...header } = delivery;
    const number = this.#nextNumber++;
    return new Promise<Answer>((resolve, reject) => {
      if (this.#isGone) return reject(new ChannelLost('the channel has ended'));
      const onAbort = (): void => this.#waiting.take(number)?.reject(new ChannelLost(String(ending.reason)));
      const letGo = (): void => ending.removeEventListener('abort', onAbort);
      ending.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(number, {
        resolve: (answer) => {
          letGo();
          resolve(answer);
        },
        reject: (error) => {
          letGo();
          reject(error);
        },
      });
      const { traceparent = '' } = traceHeaders();
      writer.write(encodeDelivery({ number, ...header, traceparent }), bytes);
    });
  }

  #connect(): Promise<Open> {
    return new Promise((resolve, reject) => {
      const opening = request(new URL(DELIVERY_PATH, this.#url), {
        agent: false,
        headers: {
          connection: 'Upgrade',
          upgrade: DELIVERY_PROTOCOL,
          authorization: bearer(this.#token),
        },
        timeout: OPEN_TIMEOUT_MS,
      });
      opening.once('timeout', () => {
        opening.destroy(new Error('no channel in time'));
      });
      opening.once('error', reject);
      opening.once('response', (response) => {
        response.resume();
        reject(new Error(`it answers ${response.statusCode} to ${DELIVERY_PATH}`));
      });
      opening.once('upgrade', (_response, socket, head) => {
        this.#open = { socket, writer: new FrameWriter(socket) };
        this.#receive(socket, head);
        resolve(this.#open);
      });
      opening.end();
    });
  }

  #receive(socket: Socket, head: Buffer): void {
    const reader = new FrameReader();
    const take = (chunk: Buffer): void => {
      try {
        for (const { head: bytes } of reader.push(chunk)) {
          const answer = decodeAnswer(bytes);
          this.#waiting.take(answer.number)?.resolve(answer);
        }
      } catch (error) {
        this.#end(new ChannelLost('what came is no answer', { cause: error }));
      }
    };
    socket.setNoDelay(true);
    socket.setKeepAlive(true, IDLE_TIMEOUT_MS);
    socket.setTimeout(IDLE_TIMEOUT_MS, () => {
      if (this.#waiting.size === 0) this.#end(new ChannelLost('nobody needs it'));
    });
    socket.on('data', take);
    for (const event of ['end', 'close'] as const)
      socket.once(event, () => this.#end(new ChannelLost('the app server ended the channel')));
    socket.on('error', (error) => this.#end(new ChannelLost(error.message)));
    if (head.length > 0) take(head);
  }

  #end(error: Error): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#onGone();
    this.#open?.socket.destroy();
    const waiting = this.#waiting.values();
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}
