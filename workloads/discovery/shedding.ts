// Refuses requests before queues grow: a refusal at once is worth more than an answer too late.
import type { RequestHandler } from 'express';
import { unavailable } from './answers.ts';

/** Requests that wait for the coordination, mostly: each may hold a body of a megabyte. */
export const MAX_IN_FLIGHT = 256;
const LOOK_EVERY_MS = 50;
/** Clients give a question 2 seconds; a process that is this late twice in a row has more to do than it can. */
const LATE_MS = 200;
const LATE_IN_A_ROW = 2;

/**
 * Watch streams count only until they are open. What the fast path answers is not refused: a refusal would cost as much as
 * the answer. Health and metrics are no routes of /v1.
 */
export class Shedding {
  readonly #timer: NodeJS.Timeout;
  #inFlight = 0;
  #lateInARow = 0;
  #refused = 0;
  #expectedAt: number;

  constructor(now: () => number = () => performance.now()) {
    this.#expectedAt = now() + LOOK_EVERY_MS;
    this.#timer = setInterval(() => {
      this.look(now() - this.#expectedAt);
      this.#expectedAt = now() + LOOK_EVERY_MS;
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  get refused(): number {
    return this.#refused;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** @param lateMs how much later than due the event loop came around */
  look(lateMs: number): void {
    this.#lateInARow = lateMs > LATE_MS ? this.#lateInARow + 1 : 0;
  }

  /** Takes a request in. @returns what lets it out again, or undefined: there is no room for it */
  enter(): (() => void) | undefined {
    if (this.#inFlight >= MAX_IN_FLIGHT || this.#lateInARow >= LATE_IN_A_ROW) {
      this.#refused++;
      return undefined;
    }
    this.#inFlight++;
    let isIn = true;
    return () => {
      if (isIn) this.#inFlight--;
      isIn = false;
    };
  }

  readonly middleware: RequestHandler = (request, response, next) => {
    const leave = this.enter();
    if (!leave) return unavailable(response, 'Discovery has more to do than it can.');
    response.once('close', leave);
    if (request.path === '/watch') leave();
    next();
  };

  close(): void {
    clearInterval(this.#timer);
  }
}
