// A client: delivers and reads, follows redirects, repeats what was not answered, and delivers some things again much later.
import { describeAsk, makeAsk } from './asks.ts';
import type { Answer, ClientRequest, SimNode } from './node.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** A request on its way is given up after this. */
const ATTEMPT_MS = 3_000;
/** A read may take this long at the server: well within an attempt, or it would never be answered. */
const LONGEST_READ_MS = 2_500;
const LONGEST_REST_MS = 250;

/** Requests that a client has under way at a time. */
const MAX_UNDER_WAY = 6;

/** Some requests are for keys whose logs are just being begun: all clients turn to the same one for a while. */
const FRESH = 0.25;
const FRESH_MS = 700;

/** Questions to the API, beside each request; and how many a client has under way. */
const ASKS = 0.1;
const MAX_ASKS_UNDER_WAY = 6;

/** Deliveries remembered for being made again. */
const REMEMBERED = 30;

export type ClientOptions = {
  world: World;
  random: Random;
  name: string;
  keys: readonly string[];
  nodes: readonly SimNode[];
  network: Network;
  /** Have servers an API? */
  asks: boolean;
};

export class SimClient {
  readonly errors = new Map<string, number>();
  readonly #options: ClientOptions;
  readonly #random: Random;
  readonly #askRandom: Random;
  readonly #owners = new Map<string, string>();
  readonly #earlier: { key: string; deliveryKey: string }[] = [];
  #deliveries = 0;
  #underWay = 0;
  #asksUnderWay = 0;
  #stopped = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#random = options.random.fork(options.name);
    this.#askRandom = this.#random.fork('asks');
  }

  start(): void {
    this.#rest();
  }

  /** No new requests after this. */
  stop(): void {
    this.#stopped = true;
  }

  /** Repeats a request until it is answered. */
  send(request: ClientRequest, done: () => void): void {
    const { world, nodes, network } = this.#options;
    const random = this.#random;
    const known = this.#owners.get(request.key);
    const node = nodes.find((one) => one.name === known) ?? random.pick(nodes);
    let over = false;
    const settle = (answer: Answer) => {
      if (over) return;
      over = true;
      timer.cancel();
      if (answer.ok) {
        this.#owners.set(request.key, node.name);
        return done();
      }
      this.errors.set(answer.error, (this.errors.get(answer.error) ?? 0) + 1);
      if (answer.owner !== undefined) this.#owners.set(request.key, answer.owner);
      else this.#owners.delete(request.key);
      const pauseMs = answer.retryAfterMs + random.between(0, answer.owner === undefined ? 300 : 60);
      world.after(pauseMs, `${this.#options.name} repeats`, () => this.send(request, done));
    };
    const refused = (error: string): Answer => ({ ok: false, error, owner: undefined, retryAfterMs: 50 });
    const timer = world.after(ATTEMPT_MS, `${this.#options.name} gives up on ${node.name}`, () =>
      settle(refused('TimedOut')),
    );
    const what =
      request.kind === 'deliver'
        ? request.deliveryKey
        : request.kind === 'ask'
          ? describeAsk(request)
          : 'read';
    const label = `${this.#options.name} ${what} ${request.key}`;
    const { up, down } = network.between(this.#options.name, node.name);
    up.send(label, () =>
      node.handle(request, (answer) =>
        down.send(`${answer.ok ? 'ok' : answer.error} for ${label}`, () => settle(answer)),
      ),
    );
  }

  #rest(): void {
    const random = this.#random;
    const pauseMs = random.chance(0.3) ? random.between(0, 3) : random.between(0, LONGEST_REST_MS);
    this.#options.world.after(pauseMs, `${this.#options.name} rests no more`, () => {
      if (this.#stopped) return;
      this.#rest();
      if (this.#options.asks) this.#ask();
      if (this.#underWay >= MAX_UNDER_WAY) return;
      this.#underWay++;
      this.send(this.#next(), () => this.#underWay--);
    });
  }

  #ask(): void {
    const random = this.#askRandom;
    const key = this.#key(random, random.integer(0, this.#options.keys.length - 1));
    if (!random.chance(ASKS) || this.#asksUnderWay >= MAX_ASKS_UNDER_WAY) return;
    this.#asksUnderWay++;
    this.send(makeAsk(random, key, this.#options.keys), () => this.#asksUnderWay--);
  }

  #key(random: Random, index: number): string {
    const isFresh = random.chance(FRESH);
    return isFresh
      ? `user:f${Math.floor(this.#options.world.now / FRESH_MS)}`
      : (this.#options.keys[index] ?? '');
  }

  #next(): ClientRequest {
    const random = this.#random;
    const index = random.integer(0, this.#options.keys.length - 1);
    const key = this.#key(random, index);
    // Some are mostly read, so that stale images are looked at, and not found out by their own writes first.
    if (random.chance(index % 2 === 0 ? 0.4 : 0.85)) {
      return { kind: 'read', key, slowMs: random.chance(0.05) ? random.between(0, LONGEST_READ_MS) : 0 };
    }
    if (this.#earlier.length > 0 && random.chance(0.2))
      return { kind: 'deliver', ...random.pick(this.#earlier) };
    // The same message to another recipient.
    if (this.#earlier.length > 0 && random.chance(0.15))
      return { kind: 'deliver', key, deliveryKey: random.pick(this.#earlier).deliveryKey };
    const delivery = { key, deliveryKey: `${this.#options.name}-${++this.#deliveries}` };
    this.#earlier.push(delivery);
    if (this.#earlier.length > REMEMBERED) this.#earlier.shift();
    return { kind: 'deliver', ...delivery };
  }
}
