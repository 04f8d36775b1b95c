// Files again what was filed while the user index was away. Who has such mail is learned from appends, from logs as they are
// opened, and after a restart or a takeover from the lists that servers keep of them.
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../common/log.ts';
import { asUser, type Image } from '../image/model.ts';
import type { MessageReader } from '../image/message-reader.ts';
import { Misdirected } from '../log/user-log-errors.ts';
import { refileUnsure } from '../logic/refile.ts';
import { provenSender } from '../logic/sender.ts';
import type { Degree, Relations } from '../relations.ts';
import type { Logs } from './services.ts';
import { isUnavailable } from './unavailable.ts';
import { GIVEN_MS, type UnsureList, type Visited } from './unsure-list.ts';

/** Between two rounds, while somebody waits: so long the index is left alone after it gave no answer. */
const ROUND_MS = 1_000;
/** Users whose mail waits; of more it is filed again when their logs are opened the next time. */
const MAX_WAITING = 100_000;
/** Senders of one user of whom nothing was said, before the index is taken to be away, and not only their cell. */
const MAX_UNKNOWN = 3;
/** Messages of one user that are looked at in one go. */
const BATCH = 100;
/** Users who went to another server and are still on this one's list. */
const MAX_GIVEN = 10_000;

export type RefilerOptions = {
  logs: Pick<Logs, 'read' | 'write' | 'onAppended' | 'onOpened'>;
  messages: Pick<MessageReader, 'load'>;
  relations: Relations;
  logger: Logger;
  /** Without it, mail that waits is found after a restart when its user's log is opened. */
  list?: UnsureList | undefined;
  roundMs?: number;
};

export class Refiler {
  readonly #options: RefilerOptions;
  readonly #waiting = new Set<string>();
  /** Who went to another server before their mail was filed again, and when. */
  readonly #given = new Map<string, number>();
  #working: string | undefined;
  readonly #ending = new AbortController();
  readonly #stopListening: (() => void)[];
  #running: Promise<void> | undefined;

  constructor(options: RefilerOptions) {
    this.#options = options;
    this.#stopListening = [
      options.logs.onAppended((key, _seq, image) => this.#note(key, image)),
      options.logs.onOpened((key, image) => this.#note(key, image)),
    ];
    options.list?.start(
      () => this.#held(),
      (key) => this.#visit(key),
    );
  }

  /** Users whose mail waits for the index. */
  get waiting(): number {
    return this.#waiting.size;
  }

  async close(): Promise<void> {
    for (const stop of this.#stopListening) stop();
    this.#ending.abort();
    await Promise.all([this.#running, this.#options.list?.close()]);
  }

  #note(key: string, image: Image): void {
    const isUnsure = image.kind === 'user' && image.filing.unsure.length > 0;
    if (!isUnsure || this.#waiting.size >= MAX_WAITING || this.#ending.signal.aborted) return;
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    this.#options.list?.note();
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  *#held(): Generator<string, void, undefined> {
    for (const [key, at] of this.#given) {
      if (performance.now() - at < GIVEN_MS && this.#given.size <= MAX_GIVEN) yield key;
      else this.#given.delete(key);
    }
    if (this.#working !== undefined) yield this.#working;
    yield* this.#waiting;
  }

  /** Looks whether a user's mail waits, who is on some server's list. */
  async #visit(key: string): Promise<Visited> {
    if (this.#waiting.has(key)) return 'done';
    try {
      await this.#options.logs.read(key, (image) => this.#note(key, image));
      return 'done';
    } catch (error) {
      return isUnavailable(error) && !(error instanceof Misdirected) ? 'failed' : 'elsewhere';
    }
  }

  async #run(): Promise<void> {
    const { roundMs = ROUND_MS, logger } = this.#options;
    while (this.#waiting.size > 0) {
      await delay(roundMs, undefined, { signal: this.#ending.signal }).catch(() => undefined);
      // A user with nothing left to do is taken out before the work, so that what comes meanwhile puts them in again.
      for (const key of this.#waiting) {
        if (this.#ending.signal.aborted) return;
        this.#waiting.delete(key);
        this.#working = key;
        const isDone = await this.#refile(key).catch((error: unknown) => {
          if (error instanceof Misdirected) {
            this.#given.set(key, performance.now());
            return true;
          }
          logger.debug({ err: error, key }, 'mail could not be filed again; later');
          return false;
        });
        this.#working = undefined;
        if (isDone) {
          this.#options.list?.note();
          continue;
        }
        this.#waiting.add(key);
        break;
      }
    }
  }

  /** @returns false when the index did not answer: others need not be tried now */
  async #refile(key: string): Promise<boolean> {
    const { logs, messages, relations, logger } = this.#options;
    for (;;) {
      const found = await logs.read(key, (image) => {
        const user = asUser(image);
        return user && { userId: user.user.userId, emails: user.filing.unsure.slice(0, BATCH) };
      });
      if (!found || found.emails.length === 0) return true;
      let unknown = 0;
      const degrees = new Map<number, Degree>();
      const bySender = new Map<string, Degree>();
      for (const [email, message] of await messages.load(key, found.emails)) {
        const sender = provenSender(message);
        const known = sender === undefined ? 'none' : bySender.get(sender);
        const degree = known ?? (await relations.degree(found.userId, sender ?? ''));
        if (sender !== undefined) bySender.set(sender, degree);
        if (degree !== 'unknown') degrees.set(email, degree);
        else if (++unknown >= MAX_UNKNOWN) break;
      }
      if (degrees.size > 0) {
        const moved = await logs.write(key, (tx) => refileUnsure(tx, degrees));
        logger.info({ key, asked: degrees.size, moved }, 'mail that was filed unsure is filed again');
      }
      if (unknown > 0) return false;
    }
  }
}
