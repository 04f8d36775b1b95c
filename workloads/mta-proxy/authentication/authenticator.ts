// The near side of the authentication thread. A message is never lost or refused because it could not be checked.
import { Worker } from 'node:worker_threads';
import type { Logger } from '../../common/log.ts';
import { NumberMap } from '../../common/number-map.ts';
import { inSpan } from '../../common/tracing.ts';
import type { Checked, Job, Lookups, Question, ThreadAnswer, ThreadOptions } from './protocol.ts';
import { MESSAGE_DEADLINE_MS, notFoundOut } from './verify.ts';

/** Beyond these messages wait: each holds memory in the thread while name servers are asked. */
export const MAX_AT_ONCE = 256;
/** The thread keeps its own deadline. One that is so much later hangs, or can't keep up. */
const HANG_MS = MESSAGE_DEADLINE_MS + 5_000;
/** In line and at work together: longer than that a client does not wait. */
const WAIT_DEADLINE_MS = 45_000;
const MAX_HEAP_MB = 256;
/** Threads that end one after another without an answer: more won't help. */
const MAX_USELESS = 3;

type Waiting = { job: Job; resolve: (checked: Checked | undefined) => void };

export type AuthenticatorOptions = ThreadOptions & {
  logger: Logger;
  /** A message was checked; it came at this moment of `performance.now()`. */
  onChecked: (checked: Checked, startedAt: number) => void;
  onLookups: (lookups: Lookups) => void;
};

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #line: Waiting[] = [];
  readonly #atWork = new NumberMap<Waiting & { hangs: NodeJS.Timeout }>();
  #worker: Worker | undefined;
  #nextId = 1;
  /** Threads since the last answer that were given up. */
  #useless = 0;
  #closed = false;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** Never rejects: what can't be found out is a `temperror`. A file must stay until this resolves. */
  check(question: Question): Promise<Checked> {
    return inSpan('authenticate', () => this.#check(question));
  }

  async #check(question: Question): Promise<Checked> {
    const startedAt = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const checked = await new Promise<Checked | undefined>((resolve) => {
      if (this.#closed) return resolve(undefined);
      timer = setTimeout(() => resolve(undefined), WAIT_DEADLINE_MS);
      this.#line.push({ job: { id: this.#nextId++, ...question }, resolve });
      this.#next();
    });
    clearTimeout(timer);
    const result = checked ?? notFoundOut(this.#options.hostname);
    this.#options.onChecked(result, startedAt);
    return result;
  }

  /** Not well when one thread after another ends without an answer. */
  health(): true | string {
    return this.#useless < MAX_USELESS || 'no authentication thread answers any more';
  }

  /** Messages at work and in line. */
  get waiting(): number {
    return this.#atWork.size + this.#line.length;
  }

  /** Ends the thread; what waits is answered as not found out. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { resolve } of this.#line.splice(0)) resolve(undefined);
    const worker = this.#worker;
    if (worker) this.#giveUp(worker, undefined);
    await worker?.terminate();
  }

  #next(): void {
    while (this.#atWork.size < MAX_AT_ONCE) {
      const waiting = this.#line.shift();
      if (!waiting) return;
      const worker = (this.#worker ??= this.#start());
      const { id } = waiting.job;
      const hangs = setTimeout(() => this.#giveUp(worker, 'it does not answer'), HANG_MS);
      this.#atWork.set(id, { ...waiting, hangs });
      // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage(waiting.job);
    }
  }

  #start(): Worker {
    const { hostname, dnsServers, logger } = this.#options;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      name: 'authentication',
      execArgv: [],
      workerData: { hostname, dnsServers } satisfies ThreadOptions,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    worker.on('message', (answer: ThreadAnswer) => {
      if (worker !== this.#worker) return;
      const { id, lookups, ...checked } = answer;
      this.#useless = 0;
      this.#options.onLookups(lookups);
      this.#take(id)?.resolve(checked);
      this.#next();
    });
    worker.on('error', (error) => logger.error({ err: error }, 'the authentication thread failed'));
    worker.on('exit', () => this.#giveUp(worker, 'it ended'));
    return worker;
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#atWork.take(id);
    clearTimeout(waiting?.hangs);
    return waiting;
  }

  /** What the thread had is answered as not found out: nobody knows which of them it hung at. */
  #giveUp(worker: Worker, why: string | undefined): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    this.#useless++;
    if (why !== undefined && this.#atWork.size > 0)
      this.#options.logger.warn(
        { why, messages: this.#atWork.size },
        'the authentication thread is given up',
      );
    void worker.terminate();
    for (const { job } of this.#atWork.values()) this.#take(job.id)?.resolve(undefined);
    if (!this.#closed) this.#next();
  }
}
