// The near side of a parser thread: jobs in order, a deadline for each message, and a new thread when one hangs or dies.
import { Worker } from 'node:worker_threads';
import type { Logger } from '../../common/log.ts';
import type { ParseAnswer, Parsed, ParseJob } from './parse-protocol.ts';

/** A parser that takes that much is broken, or taken in by a message: the thread ends, the process does not. */
const MAX_HEAP_MB = 256;

/** This message could not be parsed here and now. */
export class ParseFailed extends Error {
  override name = 'ParseFailed';
}

/** A message in a thread. */
export type ParseStream = {
  /** Resolves when the thread has worked these bytes in; they must not be changed before. @throws ParseFailed */
  write(bytes: { trace?: Uint8Array; bytes?: Uint8Array }): Promise<void>;
  /** The last bytes. @throws ParseFailed */
  end(bytes?: { trace?: Uint8Array; bytes?: Uint8Array }): Promise<Parsed>;
  /** Forgets the message. */
  abort(): void;
};

/** What a message has taken so far. */
type Account = { spentMs: number };

type Waiting = {
  job: Exclude<ParseJob, { forget: true }>;
  account: Account;
  /** Nothing of the message was said before: another thread can do the job, too. */
  isWhole: boolean;
  resolve: (parsed: Parsed | undefined) => void;
  reject: (error: Error) => void;
};

export class ParserThread {
  readonly #deadlineMs: number;
  readonly #logger: Logger;
  readonly #waiting: Waiting[] = [];
  #worker: Worker;
  /** When the job that is being done began. */
  #beganAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #nextId = 1;
  #closed = false;

  /** @param deadlineMs how long a message may take of the thread's time */
  constructor(deadlineMs: number, logger: Logger) {
    this.#deadlineMs = deadlineMs;
    this.#logger = logger;
    this.#worker = this.#start();
  }

  /** Jobs that wait or are being done. */
  get waiting(): number {
    return this.#waiting.length;
  }

  open(): ParseStream {
    const id = this.#nextId++;
    const account = { spentMs: 0 };
    let worker: Worker | undefined;
    const submit = (bytes: { trace?: Uint8Array; bytes?: Uint8Array }, end: boolean) => {
      const isWhole = worker === undefined && end;
      worker ??= this.#worker;
      if (worker !== this.#worker || this.#closed)
        return Promise.reject(new ParseFailed('the thread that parsed it has ended'));
      return new Promise<Parsed | undefined>((resolve, reject) => {
        this.#submit({ job: { id, ...bytes, end }, account, isWhole, resolve, reject });
      });
    };
    return {
      write: async (bytes) => void (await submit(bytes, false)),
      end: async (bytes = {}) => {
        const parsed = await submit(bytes, true);
        if (!parsed) throw new ParseFailed('the thread gave no result');
        return parsed;
      },
      abort: () => {
        if (worker && worker === this.#worker) post(worker, { id, forget: true });
      },
    };
  }

  /** Ends the thread; what waits fails. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiting.splice(0)) reject(new ParseFailed('shutting down'));
    await this.#worker.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./parse-worker.ts', import.meta.url), {
      name: 'parser',
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    worker.on('message', (answer: ParseAnswer) => {
      if (worker === this.#worker) this.#onAnswer(answer);
    });
    worker.on('error', (error) => this.#logger.error({ err: error }, 'a parser thread failed'));
    worker.on('exit', () => {
      if (worker === this.#worker) this.#replace('the parser thread ended');
    });
    return worker;
  }

  #submit(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#waiting.length === 1) this.#begin();
    post(this.#worker, waiting.job);
  }

  /** The first job is being done from now on. */
  #begin(): void {
    this.#beganAt = performance.now();
    this.#timer ??= setTimeout(() => this.#check(), this.#deadlineMs);
  }

  /** One timer for all jobs: it looks how long the present one has been at it, and comes back when its time may be up. */
  #check(): void {
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (!first) return;
    const leftMs = this.#deadlineMs - first.account.spentMs - (performance.now() - this.#beganAt);
    if (leftMs <= 0) this.#replace(`parsing took more than ${this.#deadlineMs} ms`);
    else this.#timer = setTimeout(() => this.#check(), leftMs);
  }

  #onAnswer(answer: ParseAnswer): void {
    const done = this.#waiting.shift();
    if (!done || done.job.id !== answer.id) throw new Error('a parser thread answers out of order');
    done.account.spentMs += performance.now() - this.#beganAt;
    if (this.#waiting.length > 0) this.#begin();
    if ('failure' in answer) done.reject(new ParseFailed(answer.failure));
    else if (done.account.spentMs > this.#deadlineMs) done.reject(new ParseFailed('parsing took too long'));
    else done.resolve(answer.parsed);
  }

  /** A new thread takes over what was not begun; the message at which the old one stuck is given up. */
  #replace(why: string): void {
    if (this.#closed) return;
    const [stuck, ...others] = this.#waiting.splice(0);
    void this.#worker.terminate();
    this.#worker = this.#start();
    this.#logger.warn({ why, waiting: others.length }, 'a parser thread is replaced');
    stuck?.reject(new ParseFailed(why));
    for (const waiting of others) {
      if (waiting.isWhole) this.#submit(waiting);
      else waiting.reject(new ParseFailed(why));
    }
  }
}

function post(worker: Worker, job: ParseJob): void {
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  worker.postMessage(job);
}
