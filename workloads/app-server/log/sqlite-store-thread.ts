// The near side of a worker thread of the SQLite log store: numbered calls, deadlines, and a new thread when one died.
import { Worker } from 'node:worker_threads';
import { ConfigError } from '../../common/config/env.ts';
import type { Logger } from '../../common/log.ts';
import type { Stopwatch } from '../../common/metrics/durations.ts';
import type { WorkloadMetrics } from '../../common/metrics/workload-metrics.ts';
import { NumberMap } from '../../common/number-map.ts';
import { inSpan } from '../../common/tracing.ts';
import { OutcomeUnknown, SequenceGap, StoreUnavailable } from './log-store.ts';
import type {
  Answer,
  Call,
  Failure,
  FromWorker,
  OperationName,
  Operations,
  ToWorker,
  WorkerSettings,
} from './sqlite-store-protocol.ts';

/**
 * How long a call may take at most: longer than a wait for other processes (BUSY_DEADLINE_MS in sqlite-store.ts) and a
 * slow disk's sync together.
 */
const CALL_DEADLINE_MS = 15_000;
/** How long the opening of the file may take, a recovery after a crash included. */
const OPEN_DEADLINE_MS = 60_000;
/** More calls than this at once mean that the disk doesn't keep up: refused at once, instead of late. */
export const MAX_WAITING_CALLS = 20_000;
/** Threads that fail to open the file one after another: another process may have more luck. */
const MAX_FAILED_STARTS = 3;

type Waiting = {
  id: number;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  /** The error for a call whose answer never came. */
  lost: (message: string) => Error;
  timer: NodeJS.Timeout;
  startedAt: number;
  took: Stopwatch | undefined;
};

export class SqliteThread {
  readonly #settings: WorkerSettings;
  readonly #logger: Logger | undefined;
  readonly #metrics: WorkloadMetrics | undefined;
  readonly #stopwatches = new Map<OperationName, Stopwatch>();
  readonly #waiting = new NumberMap<Waiting>();
  #nextId = 1;
  #failedStarts = 0;
  /** Calls that go to the thread at the end of this turn of the event loop. */
  #unsent: { call: Call; transfer: ArrayBuffer[] }[] = [];
  #worker: Promise<Worker> | undefined;
  #closing: Promise<void> | undefined;
  /** Called when nothing is in flight any more: close() waits for it. */
  #onIdle: (() => void) | undefined;

  constructor(settings: WorkerSettings, logger: Logger | undefined, metrics?: WorkloadMetrics) {
    this.#metrics = metrics;
    this.#settings = settings;
    this.#logger = logger;
  }

  /** @throws ConfigError, StoreUnavailable */
  async open(): Promise<void> {
    await this.#open();
  }

  /** @throws what log-store.ts promises for the operation */
  call<Name extends OperationName>(
    name: Name,
    call: Operations[Name]['call'],
    transfer: ArrayBuffer[] = [],
  ): Promise<Operations[Name]['answer']> {
    return inSpan(`sqlite ${name}`, () => this.#call(name, call, transfer));
  }

  async #call<Name extends OperationName>(
    name: Name,
    call: Operations[Name]['call'],
    transfer: ArrayBuffer[],
  ): Promise<Operations[Name]['answer']> {
    if (this.#closing) throw new StoreUnavailable('the store is closed');
    if (this.#waiting.size >= MAX_WAITING_CALLS)
      throw new StoreUnavailable(`more than ${MAX_WAITING_CALLS} calls wait for the disk`);
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      const lost = (message: string): Error =>
        name === 'append' ? new OutcomeUnknown(message) : new StoreUnavailable(message);
      const timer = setTimeout(
        () => this.#settle(id)?.reject(lost(`no answer from the disk in ${CALL_DEADLINE_MS} ms`)),
        CALL_DEADLINE_MS,
      );
      this.#waiting.set(id, {
        id,
        resolve,
        reject,
        lost,
        timer,
        startedAt: performance.now(),
        took: this.#stopwatch(name),
      });
    });
    if (this.#unsent.length === 0) setImmediate(() => this.#send(this.#unsent.splice(0)));
    // The assertion: id, name and call are of one operation, which TypeScript can't follow through the type parameter.
    this.#unsent.push({ call: { id, name, ...call } as Call, transfer });
    // The worker answers each operation with its own type.
    return (await answer) as Operations[Name]['answer'];
  }

  /** False when the last threads have all failed to start. */
  get starts(): boolean {
    return this.#failedStarts < MAX_FAILED_STARTS;
  }

  /** Calls without an answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  #stopwatch(name: OperationName): Stopwatch | undefined {
    const stopwatch = this.#stopwatches.get(name) ?? this.#metrics?.storeCall('sqlite', name);
    if (stopwatch) this.#stopwatches.set(name, stopwatch);
    return stopwatch;
  }

  #send(unsent: { call: Call; transfer: ArrayBuffer[] }[]): void {
    this.#open().then(
      (worker) => {
        const left = unsent.filter(({ call }) => this.#waiting.get(call.id) !== undefined);
        if (left.length === 0) return;
        post(
          worker,
          { calls: left.map(({ call }) => call) },
          left.flatMap(({ transfer }) => transfer),
        );
      },
      (error: Error) => {
        for (const { call } of unsent) this.#settle(call.id)?.reject(error);
      },
    );
  }

  /** Waits for the calls in flight, then ends the thread. May be called twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    const worker = await this.#worker?.catch(() => undefined);
    if (!worker) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const cut = setTimeout(() => void worker.terminate(), CALL_DEADLINE_MS);
    post(worker, { close: true });
    await ended;
    clearTimeout(cut);
  }

  /** The running thread; a dead one is replaced at the next call. */
  #open(): Promise<Worker> {
    return (this.#worker ??= this.#start().then(
      (worker) => {
        this.#failedStarts = 0;
        return worker;
      },
      (error: unknown) => {
        this.#worker = undefined;
        this.#failedStarts++;
        throw error;
      },
    ));
  }

  async #start(): Promise<Worker> {
    const worker = new Worker(new URL('./sqlite-store-worker.ts', import.meta.url), {
      workerData: this.#settings,
      name: `sqlite-${this.#settings.role}`,
      // Not those of the main thread: `--eval` and its like are no business of a worker.
      execArgv: [],
    });
    const opened = Promise.withResolvers<void>();
    const slow = setTimeout(
      () => opened.reject(new StoreUnavailable(`${this.#settings.file} could not be opened in time`)),
      OPEN_DEADLINE_MS,
    );
    worker.on('message', (message: FromWorker) => {
      if ('answers' in message) for (const answer of message.answers) this.#onAnswer(answer);
      else if (message.opened) opened.resolve();
      else opened.reject(toError(message.failure));
    });
    let why = 'the SQLite thread ended';
    worker.on('error', (error) => {
      why = `the SQLite thread failed: ${error.message}`;
      this.#logger?.error({ err: error, file: this.#settings.file }, 'the SQLite thread failed');
    });
    worker.on('exit', () => {
      opened.reject(new StoreUnavailable(why));
      this.#onExit(why);
    });
    try {
      await opened.promise;
      return worker;
    } catch (error) {
      await worker.terminate();
      throw error;
    } finally {
      clearTimeout(slow);
    }
  }

  #onAnswer(answer: Answer): void {
    const waiting = this.#settle(answer.id);
    if ('failure' in answer) waiting?.reject(toError(answer.failure));
    else waiting?.resolve(answer.value);
  }

  #onExit(why: string): void {
    this.#worker = undefined;
    for (const { id } of this.#waiting.values()) {
      const waiting = this.#settle(id);
      waiting?.reject(waiting.lost(why));
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.take(id);
    if (!waiting) return undefined;
    clearTimeout(waiting.timer);
    waiting.took?.since(waiting.startedAt);
    if (this.#waiting.size === 0) this.#onIdle?.();
    return waiting;
  }
}

function post(worker: Worker, message: ToWorker, transfer: ArrayBuffer[] = []): void {
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  worker.postMessage(message, transfer);
}

function toError({ kind, message }: Failure): Error {
  switch (kind) {
    case 'config':
      return new ConfigError(message);
    case 'gap':
      return new SequenceGap(message);
    case 'unknown':
      return new OutcomeUnknown(message);
    case 'unavailable':
      return new StoreUnavailable(message);
  }
}
