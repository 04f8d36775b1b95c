// GET /changes: what changed in the logs that this server writes, as lines of JSON, for services that follow (docs/change-feed.md).
// Appends only note what happened in a ring of fixed size; each follower is written to later, as fast as it reads. One that
// falls behind by more than the ring holds is cut, and finds out from the logs what it missed (GET /changes/keys).
import { randomBytes } from 'node:crypto';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { every, type Clock, type Timer } from '../../common/clock.ts';
import { CHANGE_KINDS, PING_MS, type ChangeKind, type FeedLine } from '../../common/changes/feed-lines.ts';
import { sendProblem } from '../../common/http/server.ts';
import { seqOf } from '../image/ids.ts';
import type { Image } from '../image/model.ts';
import { checked } from './read-body.ts';
import type { Logs } from './services.ts';

/** Changes that a follower may come back for: some seconds of a busy server, a few megabytes. */
const REMEMBERED = 16_384;
/** What may lie in a follower's socket before it is waited for. */
const MAX_UNREAD_BYTES = 256 * 1024;
/** Services, each with a few replicas. */
const MAX_FOLLOWERS = 64;

type Change = { key: string; seq: number; kinds: readonly ChangeKind[] };
type Follower = {
  response: Response;
  kinds: ReadonlySet<ChangeKind>;
  /** The number of the next change that it is to be told. */
  next: number;
  isScheduled: boolean;
};

const query = z.object({
  kinds: z
    .string()
    .default(CHANGE_KINDS.join(','))
    .transform((list) => list.split(','))
    .pipe(z.array(z.enum(CHANGE_KINDS)).min(1)),
  instance: z.string().max(64).default(''),
  after: z.coerce.number().int().min(0).default(0),
});

export class ChangeFeed {
  readonly #instance = randomBytes(8).toString('hex');
  readonly #remembered: number;
  /** Change number n is at index n % size. */
  readonly #ring: (Change | undefined)[] = [];
  /** The number of the last change; 0: there was none yet. */
  #last = 0;
  readonly #followers = new Set<Follower>();
  readonly #stopListening: () => void;
  readonly #clock: Clock;
  readonly #pings: Timer;
  readonly #serves: () => boolean;
  #heldSince = 0;

  /** @param serves does this server serve, and hold its lease? */
  constructor(logs: Pick<Logs, 'onAppended'>, serves: () => boolean, clock: Clock, remembered = REMEMBERED) {
    this.#clock = clock;
    this.#remembered = remembered;
    this.#serves = serves;
    this.#stopListening = logs.onAppended((key, seq, image) => this.#note(key, seq, image));
    this.#pings = every(clock, PING_MS, () => this.#ping());
  }

  get followers(): number {
    return this.#followers.size;
  }

  /** Answers with the stream; it ends when either side ends it, or the follower is too slow. */
  follow(request: Request, response: Response): void {
    const asked = checked(request.query, response, query);
    if (!asked) return;
    if (this.#followers.size >= MAX_FOLLOWERS)
      return sendProblem(response, 429, 'about:blank', `At most ${MAX_FOLLOWERS} followers at once.`);
    const { kinds, instance, after } = asked;
    const resumed = instance === this.#instance && after <= this.#last && after >= this.#first - 1;
    const next = (resumed ? after : this.#last) + 1;
    const follower: Follower = { response, kinds: new Set(kinds), next, isScheduled: false };
    response.status(200).setHeader('Content-Type', 'application/x-ndjson');
    response.set('Cache-Control', 'no-store');
    response.once('close', () => this.#followers.delete(follower));
    response.on('drain', () => this.#flush(follower));
    this.#followers.add(follower);
    this.#write(follower, {
      type: 'hello',
      instance: this.#instance,
      number: next - 1,
      resumed,
      timeMs: this.#clock.wall(),
      heldSince: this.#held(),
    });
    this.#flush(follower);
  }

  /** Logs may be written by others from now on: what was read from them here before may change without a word. */
  gaveUp(): void {
    this.#ring[++this.#last % this.#remembered] = undefined;
    this.#heldSince = this.#last;
    this.#ping();
  }

  /** Tells what is left and ends all streams. May be called twice. */
  close(): void {
    this.#pings.cancel();
    this.#stopListening();
    for (const follower of this.#followers) {
      this.#flush(follower);
      follower.response.end();
    }
  }

  /** The oldest change that is remembered. */
  get #first(): number {
    return Math.max(1, this.#last - this.#remembered + 1);
  }

  #note(key: string, seq: number, image: Image): void {
    this.#ring[++this.#last % this.#remembered] = { key, seq, kinds: kindsOf(seq, image) };
    for (const follower of this.#followers) {
      if (follower.isScheduled) continue;
      follower.isScheduled = true;
      setImmediate(() => this.#flush(follower));
    }
  }

  #flush(follower: Follower): void {
    follower.isScheduled = false;
    const { response, kinds } = follower;
    if (follower.next < this.#first) return void response.destroy();
    while (follower.next <= this.#last && isOpen(response) && response.writableLength < MAX_UNREAD_BYTES) {
      const number = follower.next++;
      const change = this.#ring[number % this.#remembered];
      if (!change) continue;
      const told = change.kinds.filter((kind) => kinds.has(kind));
      if (told.length === 0) continue;
      this.#write(follower, { type: 'change', number, key: change.key, seq: change.seq, kinds: told });
    }
  }

  #ping(): void {
    for (const follower of this.#followers) {
      this.#flush(follower);
      // One that has not read all yet is told nothing else: a ping says that all before it was told.
      if (follower.next > this.#last)
        this.#write(follower, {
          type: 'ping',
          number: this.#last,
          timeMs: this.#clock.wall(),
          heldSince: this.#held(),
        });
    }
  }

  #held(): number | null {
    return this.#serves() ? this.#heldSince : null;
  }

  #write({ response }: Follower, line: FeedLine): void {
    if (isOpen(response) && response.writableLength < 2 * MAX_UNREAD_BYTES)
      response.write(`${JSON.stringify(line)}\n`);
  }
}

function isOpen(response: Response): boolean {
  return !response.writableEnded && !response.destroyed;
}

/** What the entry changed: each type of the image remembers its last change. */
function kindsOf(seq: number, image: Image): ChangeKind[] {
  if (image.kind === 'address') return ['address'];
  const kinds: ChangeKind[] = [];
  if (seqOf(image.emailsChangedAt) === seq) kinds.push('email');
  if (seqOf(image.mailboxesChangedAt) === seq) kinds.push('mailbox');
  if (seqOf(image.friendsChangedAt) === seq) kinds.push('friends');
  return kinds.length > 0 ? kinds : ['other'];
}
