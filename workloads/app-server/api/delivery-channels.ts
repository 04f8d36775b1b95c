// Delivery channels: connections over which a service delivers many messages at once, each answered when its log entry is
// durable. They come by an HTTP request with Upgrade (RFC 9110 section 7.8) and go before express: what a message costs here
// is its log entry, and little else. Delivery/deliver is the same for whoever speaks JMAP.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  decodeDelivery,
  DELIVERY_PATH,
  DELIVERY_PROTOCOL,
  encodeAnswer,
} from '../../common/delivery/delivery-wire.ts';
import { FrameReader, FrameWriter, type Frame } from '../../common/delivery/frames.ts';
import { isPlatform } from '../../common/http/platform-token.ts';
import { deliverFrame, type DeliveryOutcome } from './delivery-frame.ts';
import type { Services } from './services.ts';

/** Deliveries of one channel under way, and their bytes; beyond these nothing more is read from it. */
export const MAX_IN_FLIGHT = 1_024;
const MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024;
/** Answers that the peer has not read; beyond these nothing more is read from it, either. */
const MAX_UNSENT_BYTES = 1024 * 1024;
/** More are refused: each service has one or two. */
const MAX_CHANNELS = 1_000;
/** A channel without any traffic is a peer that is gone. Clients end theirs sooner. */
const IDLE_TIMEOUT_MS = 300_000;
/** How long close() waits for the answers under way. */
const CLOSE_DEADLINE_MS = 5_000;

const REFUSALS = { 401: 'Unauthorized', 404: 'Not Found', 503: 'Service Unavailable' } as const;

export class DeliveryChannels {
  readonly #services: Services;
  readonly #channels = new Set<Channel>();
  #closed = false;

  constructor(services: Services) {
    this.#services = services;
  }

  serve(server: Server): void {
    server.on('upgrade', (request, duplex, head) => this.#upgrade(request, duplex, head));
  }

  /** Deliveries under way of the channel that has most of them. */
  get inFlight(): number {
    return Math.max(0, ...Array.from(this.#channels, (channel) => channel.inFlight));
  }

  /** Ends every channel once what came over it is answered. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#channels, (channel) => channel.close()));
  }

  #upgrade(request: IncomingMessage, duplex: Duplex, head: Buffer): void {
    duplex.on('error', () => duplex.destroy());
    const refusal = this.#refusalOf(request);
    this.#services.metrics.countRequest('deliveries', refusal ?? 101);
    if (refusal) {
      duplex.end(
        `HTTP/1.1 ${refusal} ${REFUSALS[refusal]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      duplex.resume();
      return;
    }
    // Of an HTTP server over TCP it is always the socket itself.
    const socket = duplex as Socket;
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${DELIVERY_PROTOCOL}\r\n\r\n`,
    );
    const channel = new Channel(socket, this.#services, () => this.#channels.delete(channel));
    this.#channels.add(channel);
    if (head.length > 0) channel.take(head);
  }

  #refusalOf(request: IncomingMessage): keyof typeof REFUSALS | undefined {
    if (request.url !== DELIVERY_PATH || request.headers.upgrade !== DELIVERY_PROTOCOL) return 404;
    if (!isPlatform(request.headers.authorization, this.#services.platformToken)) return 401;
    return this.#closed || this.#channels.size >= MAX_CHANNELS ? 503 : undefined;
  }
}

class Channel {
  readonly #socket: Socket;
  readonly #services: Services;
  readonly #reader = new FrameReader();
  readonly #writer: FrameWriter;
  #inFlight = 0;
  #inFlightBytes = 0;
  #closing = false;
  readonly #gone: Promise<void>;

  constructor(socket: Socket, services: Services, onGone: () => void) {
    this.#socket = socket;
    this.#services = services;
    this.#writer = new FrameWriter(socket);
    this.#gone = new Promise((resolve) => socket.once('close', () => resolve()));
    void this.#gone.then(onGone);
    socket.setNoDelay(true);
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('drain', () => this.#resume());
    // The peer asks for no more; it may still wait for answers.
    socket.on('end', () => this.#endWhenDone(true));
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  take(chunk: Buffer): void {
    if (this.#closing) return;
    try {
      for (const frame of this.#reader.push(chunk)) this.#deliver(frame, decodeDelivery(frame.head));
    } catch (error) {
      this.#services.logger.warn({ err: error }, 'a delivery channel was cut: what came is no delivery');
      this.#socket.destroy();
    }
  }

  async close(): Promise<void> {
    this.#endWhenDone(true);
    const cut = setTimeout(() => this.#socket.destroy(), CLOSE_DEADLINE_MS);
    await this.#gone;
    clearTimeout(cut);
  }

  #deliver(frame: Frame, header: ReturnType<typeof decodeDelivery>): void {
    const bytes = frame.head.length + frame.rest.length;
    this.#inFlight++;
    this.#inFlightBytes += bytes;
    if (this.#isFull()) this.#socket.pause();
    void deliverFrame(this.#services, header, frame.rest).then((outcome) => {
      this.#inFlight--;
      this.#inFlightBytes -= bytes;
      this.#answer(header.number, outcome);
      this.#resume();
      this.#endWhenDone(this.#closing);
    });
  }

  #isFull(): boolean {
    return (
      this.#inFlight >= MAX_IN_FLIGHT ||
      this.#inFlightBytes >= MAX_IN_FLIGHT_BYTES ||
      this.#writer.waitingBytes >= MAX_UNSENT_BYTES
    );
  }

  #resume(): void {
    if (this.#socket.isPaused() && !this.#isFull()) this.#socket.resume();
  }

  #answer(number: number, outcome: DeliveryOutcome): void {
    if (this.#socket.writable) this.#writer.write(encodeAnswer({ number, ...outcome }));
  }

  #endWhenDone(closing: boolean): void {
    this.#closing = closing;
    if (closing && this.#inFlight === 0) this.#socket.end();
  }
}
