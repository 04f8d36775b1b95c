// Invariant 6: whatever a server's API says, at any time, is of the user that was asked about, and said to who may hear it.
import { isEntitled, type Ask } from './asks.ts';
import type { Begun, History } from './history.ts';
import { ownersIn, userIdOf } from './people.ts';
import type { World } from './world.ts';

/** All that a change in the feed tells of a log. */
const FEED_FIELDS = new Set(['type', 'number', 'key', 'seq', 'kinds']);
/** The end of what was said that goes into an error. */
const TOLD_CHARS = 120;
const EMAIL_STATE = /^s(\d+)-(\d+)$/;

export class Told {
  readonly #world: World;
  readonly #history: History;
  /** Answers and events that were looked at. */
  count = 0;

  constructor(world: World, history: History) {
    this.#world = world;
    this.#history = history;
  }

  /** A server says something: it counts when it goes out, whether it arrives or not. */
  said(ask: Ask, status: number, text: string): void {
    this.count++;
    const userId = userIdOf(ask.key);
    const allowed = status === 200 && isEntitled(ask) && ask.what !== 'feed';
    for (const owner of ownersIn(text))
      if (!allowed || owner !== userId) this.#fail(ask, `were told of ${owner}: ${text.slice(-TOLD_CHARS)}`);
    if (status === 200 && !isEntitled(ask)) this.#fail(ask, 'were answered');
    if (status === 500) this.#world.fail(`${ask.what} of ${ask.key} failed: ${text}`);
    if (ask.what === 'pushes') for (const data of dataOf(text)) this.#pushed(ask, data);
    if (ask.what === 'feed' && status === 200) for (const line of linesOf(text)) this.#fed(ask, line);
  }

  /** A question is answered, or its stream is begun. */
  answered(ask: Ask, status: number, begun: Begun): void {
    if (status === 200 && ask.what !== 'feed') this.#history.checkHome(begun, `${ask.what} of`);
  }

  #pushed(ask: Ask, data: Record<string, unknown>): void {
    if (data['@type'] !== 'StateChange') return;
    const changed = data.changed as Record<string, Record<string, string>>;
    const userId = userIdOf(ask.key);
    for (const [changedId, { Email: state = '' }] of Object.entries(changed)) {
      if (changedId !== userId) this.#fail(ask, `were told that something of ${changedId} changed`);
      const [, seq, index] = EMAIL_STATE.exec(state) ?? [];
      if (seq !== undefined && !this.#history.hasDelivery(ask.key, `${seq}.${index}`))
        this.#fail(ask, `were told of email ${state}, which is not in the log`);
    }
  }

  #fed(ask: Ask, line: Record<string, unknown>): void {
    if (line.type !== 'change') return;
    const more = Object.keys(line).filter((name) => !FEED_FIELDS.has(name));
    if (more.length > 0) this.#fail(ask, `told ${more.join(', ')}`);
    if (!this.#history.hasEntry(String(line.key), Number(line.seq)))
      this.#fail(ask, `told of entry ${String(line.seq)} of ${String(line.key)}, which there is not`);
  }

  #fail({ what, key, asker }: Ask, how: string): void {
    this.#world.fail(`${what} of ${key}, asked for by ${asker}, ${how} (invariant 6)`);
  }
}

const dataOf = (text: string): Record<string, unknown>[] =>
  Array.from(text.matchAll(/^data: (.*)$/gm), ([, json = '']) => parse(json));

const linesOf = (text: string): Record<string, unknown>[] =>
  Array.from(text.matchAll(/^\{.*\}$/gm), ([json]) => parse(json));

const parse = (json: string): Record<string, unknown> => JSON.parse(json) as Record<string, unknown>;
