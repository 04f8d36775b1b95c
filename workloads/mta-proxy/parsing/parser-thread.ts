// The near side of a parser thread: jobs in order, a deadline for each message, and a new thread when one hangs or dies.
import { Worker } from 'node:worker_threads';
import type { Logger } from '../../common/log.ts';
import type { ParseAnswer, Parsed, ParseJob } from './parse-protocol.ts';

/** A parser that takes that much is broken, or taken in by a message: the thread ends, the process does not. */
const MAX_HEAP_MB = 256;
/** Until a new thread has loaded its code, on a machine that is busy. */
const START_DEADLINE_MS = 30_000;

/** Threads that end one after another before they are ready: more won't help. */
const MAX_FAILED_STARTS = 3;

/** This message could not be parsed here and now. */
class ParseFailed extends Error {
  override name = 'ParseFailed';
}

type Bytes = { trace?: Uint8Array; bytes?: Uint8Array };

/** A message in a thread. */
export type ParseStream = {
  /** Resolves when the thread has worked these bytes in; they must not be changed before. @throws ParseFailed */
  write(bytes: Bytes): Promise<void>;
  /** The last bytes. @throws ParseFailed */
  end(bytes?: Bytes): Promise<Parsed>;
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
  #worker: Worker | undefined;
  #isReady = false;
  /** When the job that is being done began. */
  #beganAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #nextId = 1;
  #failedStarts = 0;
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

  /** False when the last threads have all failed to start. */
  get starts(): boolean {
    return this.#failedStarts < MAX_FAILED_STARTS;
  }

  open(): ParseStream {
    const id = this.#nextId++;
    const account = { spentMs: 0 };
    let worker: Worker | undefined;
    let hasEnd = false;
    const submit = async (bytes: Bytes, end: boolean): Promise<Parsed | undefined> => {
      const isWhole = worker === undefined && end;
      worker ??= this.#running();
      hasEnd ||= end;
      if (worker !== this.#worker || this.#closed)
        throw new ParseFailed('the thread that parsed it has ended');
      return await new Promise((resolve, reject) => {
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
        if (worker && worker === this.#worker && !hasEnd) post(worker, { id, forget: true });
        hasEnd = true;
      },
    };
  }

  /** Ends the thread; what waits fails. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiting.splice(0)) reject(new ParseFailed('shutting down'));
    await this.#worker?.terminate();
  }

  /** A thread that has ended is replaced when there is something to do. */
  #running(): Worker {
    return (this.#worker ??= this.#start());
  }

  #start(): Worker {
    const worker = new Worker(new URL('./parse-worker.ts', import.meta.url), {
      name: 'parser',
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    this.#isReady = false;
    const slow = setTimeout(() => this.#onEnd(worker, 'the parser thread did not start'), START_DEADLINE_MS);
    worker.on('message', (answer: ParseAnswer) => {
      if (worker !== this.#worker) return;
      if (!('ready' in answer)) return this.#onAnswer(answer);
      clearTimeout(slow);
      this.#isReady = true;
      this.#failedStarts = 0;
      this.#begin();
    });
    worker.on('error', (error) => this.#logger.error({ err: error }, 'a parser thread failed'));
    worker.on('exit', () => {
      clearTimeout(slow);
      this.#onEnd(worker, 'the parser thread ended');
    });
    return worker;
  }

  #submit(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#waiting.length === 1) this.#begin();
    post(this.#running(), waiting.job);
  }

  /** The first job, if there is one, is being done from now on. */
  #begin(): void {
    if (this.#waiting.length === 0 || !this.#isReady) return;
    this.#beganAt = performance.now();
    this.#timer ??= setTimeout(() => this.#check(), this.#deadlineMs);
  }

  /** One timer for all jobs: it looks how long the present one has been at it, and comes back when its time may be up. */
  #check(): void {
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (!first || !this.#isReady || !this.#worker) return;
    const leftMs = this.#deadlineMs - first.account.spentMs - (performance.now() - this.#beganAt);
    if (leftMs > 0) this.#timer = setTimeout(() => this.#check(), leftMs);
    else this.#onEnd(this.#worker, `parsing took more than ${this.#deadlineMs} ms`);
  }

  #onAnswer(answer: Exclude<ParseAnswer, { ready: true }>): void {
    const done = this.#waiting.shift();
    if (!done || done.job.id !== answer.id) throw new Error('a parser thread answers out of order');
    done.account.spentMs += performance.now() - this.#beganAt;
    this.#begin();
    if ('failure' in answer) done.reject(new ParseFailed(answer.failure));
    else if (done.account.spentMs > this.#deadlineMs) done.reject(new ParseFailed('parsing took too long'));
    else done.resolve(answer.parsed);
  }

  /** The message at which a thread stuck or died is given up; a new thread takes over those that were not begun. */
  #onEnd(worker: Worker, why: string): void {
    if (worker !== this.#worker || this.#closed) return;
    if (!this.#isReady) this.#failedStarts++;
    const [stuck, ...others] = this.#waiting.splice(0);
    this.#worker = undefined;
    void worker.terminate();
    this.#logger.warn({ why, waiting: others.length }, 'a parser thread is given up');
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
