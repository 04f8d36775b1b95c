// The last map and rings on disk, so that discovery can answer after a start while its coordination is away.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Snapshot, snapshotMessage } from '../common/cell-client/directory-messages.ts';
import { ConfigError } from '../common/config/env.ts';
import type { Logger } from '../common/log.ts';
import type { DiscoveryState } from './state.ts';

/** Changes within that time are saved together. */
const SAVE_AFTER_MS = 250;

export class SavedMap {
  readonly #file: string;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #state: DiscoveryState | undefined;
  #unsubscribe: (() => void) | undefined;

  /** @throws ConfigError when the folder can't be made */
  constructor(folder: string, logger: Logger) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new ConfigError(
        `CELLPOST_STATE_DIR can't be used: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.#file = join(folder, 'discovery.json');
    this.#logger = logger;
  }

  /** @returns undefined when nothing readable was saved */
  load(): Snapshot | undefined {
    try {
      return snapshotMessage.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isMissing) this.#logger.warn({ err: error }, 'the saved map can not be read; going on without');
      return undefined;
    }
  }

  /** Saves the state now and then, when it changes. */
  follow(state: DiscoveryState): void {
    this.#state = state;
    this.#unsubscribe = state.subscribe((message) => {
      if (message.type !== 'ping') this.#timer ??= setTimeout(() => this.#save(), SAVE_AFTER_MS);
    });
  }

  close(): void {
    this.#unsubscribe?.();
    if (this.#timer) this.#save();
  }

  #save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#state?.known) return;
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify(this.#state.snapshot()), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#logger.warn({ err: error }, 'the map can not be saved');
    }
  }
}
