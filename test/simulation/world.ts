// Virtual time: a queue of events. Between two events everything that was made ready by the first runs to its end, so a
// run depends on nothing but its seed.
import { murmur64 } from '../../workloads/common/hash.ts';

type Event = { at: number; order: number; label: string; work: (() => void) | undefined };

export class World {
  /** Milliseconds since the start. */
  now = 0;
  /** Events so far. */
  steps = 0;
  /** What went wrong first; the run stops there. */
  violation: Error | undefined;
  readonly lines: string[] = [];
  readonly #heap: Event[] = [];
  #order = 0;
  #hash = '';

  /** Schedules work; the label is what the trace says when it happens. */
  after(delayMs: number, label: string, work: () => void): { cancel(): void } {
    const event: Event = { at: this.now + Math.max(0, delayMs), order: this.#order++, label, work };
    this.#push(event);
    return { cancel: () => (event.work = undefined) };
  }

  trace(line: string): void {
    this.lines.push(`${this.now.toFixed(3)} ${line}`);
  }

  fail(message: string): void {
    this.trace(`VIOLATION ${message}`);
    this.violation ??= new Error(message);
  }

  /** Runs events until the condition holds, there are none, or something went wrong. */
  async run(until: () => boolean): Promise<void> {
    while (!this.violation && !until()) {
      const event = this.#pop();
      if (!event) return;
      if (!event.work) continue;
      this.now = Math.max(this.now, event.at);
      this.steps++;
      this.trace(event.label);
      event.work();
      // Promises and ticks come before immediates: all that the event has set free is done then.
      await new Promise(setImmediate);
    }
  }

  /** Two runs with the same hash had the same events at the same times. */
  get hash(): string {
    if (!this.#hash) {
      const words = murmur64(new TextEncoder().encode(this.lines.join('\n')));
      this.#hash = words.map((word) => word.toString(16).padStart(8, '0')).join('');
    }
    return this.#hash;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (!above || !isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || first === last) return first;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const child = left && right && isBefore(right, left) ? right : left;
      if (!child || !isBefore(child, last)) break;
      heap[at] = child;
      at = child === left ? 2 * at + 1 : 2 * at + 2;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
