// One supervised process of the platform: started at once, told its environment when that is known, started again when
// it dies.
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ChildMessage, ParentMessage } from '../cli/run-service.ts';
import { ConfigError, type Environment } from '../workloads/common/config/env.ts';
import { V8_FLAGS } from '../workloads/common/v8-flags.ts';

const MAIN = fileURLToPath(new URL('../cli/cellpost.ts', import.meta.url));
/** A log file of more than this is set aside as `.old` at the next start. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;
const FIRST_RESTART_MS = 500;
const LONGEST_RESTART_MS = 5_000;
/** A process that lived this long starts over with the first delay. */
const STEADY_AFTER_MS = 30_000;
const STOP_DEADLINE_MS = 8_000;

export type Started = { url: string; ports: Record<string, number> };

export type ChildOptions = {
  name: string;
  workload: string;
  logFile: string;
  /** Called at each unexpected end. */
  onDeath: (line: string) => void;
};

const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', ...V8_FLAGS];

export class Child {
  readonly name: string;
  readonly #options: ChildOptions;
  #process: ChildProcess;
  #env: Environment = {};
  #started: Started | undefined;
  #stopping = false;
  #restartMs = FIRST_RESTART_MS;
  #restartTimer: NodeJS.Timeout | undefined;

  /** Starts the process; it loads its code and waits for start(). */
  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
    this.#process = this.#fork();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * Gives the process its environment and waits until its listeners are open. From then on it is started again when it
   * dies, on the ports that it had.
   * @param ports names the variables that hold a port, by door ('http' for the URL's)
   * @throws ConfigError with the process's own sentence when it can't start
   */
  async start(env: Environment, ports: Record<string, string> = {}): Promise<Started> {
    this.#env = env;
    const started = await this.#tell();
    this.#started = started;
    for (const [door, variable] of Object.entries(ports)) {
      this.#env[variable] = door === 'http' ? new URL(started.url).port : String(started.ports[door]);
    }
    this.#supervise();
    return started;
  }

  /** Ends the process in its own way (SIGTERM), or by SIGKILL when it takes too long. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await ended;
    clearTimeout(timer);
  }

  /** Ends the process at once. */
  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    this.#process.kill('SIGKILL');
  }

  #fork(): ChildProcess {
    setAside(this.#options.logFile);
    const log = openSync(this.#options.logFile, 'a', 0o600);
    try {
      return fork(MAIN, [this.#options.workload], {
        stdio: ['ignore', log, log, 'ipc'],
        execArgv: NODE_FLAGS,
        // A group of its own: Ctrl-C reaches the launcher alone, which stops its children in order.
        detached: true,
      });
    } finally {
      closeSync(log);
    }
  }

  #tell(): Promise<Started> {
    const child = this.#process;
    return new Promise((resolve, reject) => {
      const onExit = (): void =>
        reject(new ConfigError(`${this.name} ended at start: see ${this.#options.logFile}`));
      child.once('exit', onExit);
      child.once('error', reject);
      child.once('message', (message: ChildMessage) => {
        child.off('exit', onExit);
        if (message.ready) resolve({ url: message.url, ports: message.ports });
        else reject(new ConfigError(message.problem));
      });
      // Loading its code may have failed already: the channel is closed then, and the exit is told in either case.
      if (child.connected) child.send({ start: this.#env } satisfies ParentMessage, () => undefined);
      else onExit();
    });
  }

  #supervise(): void {
    const bornAt = performance.now();
    this.#process.once('exit', (code, signal) => {
      if (this.#stopping) return;
      if (performance.now() - bornAt > STEADY_AFTER_MS) this.#restartMs = FIRST_RESTART_MS;
      const delayMs = this.#restartMs;
      this.#restartMs = Math.min(LONGEST_RESTART_MS, this.#restartMs * 2);
      this.#options.onDeath(
        `${this.name} ended (${signal ?? `code ${code}`}); starting it again in ${delayMs} ms`,
      );
      this.#restartTimer = setTimeout(() => this.#restart(), delayMs);
    });
  }

  #restart(): void {
    this.#process = this.#fork();
    this.#supervise();
    this.#tell().then(
      (started) => {
        this.#started = started;
      },
      () => this.#process.kill('SIGKILL'),
    );
  }

  get started(): Started | undefined {
    return this.#started;
  }
}

function setAside(logFile: string): void {
  try {
    if (statSync(logFile).size > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.old`);
  } catch {
    // No log yet.
  }
}
