// An app server in the simulation: the real Membership and UserLogs in a process that is started, stopped and killed.
import { delay } from '../../workloads/common/clock.ts';
import { CoordinationError } from '../../workloads/common/coordination/coordination.ts';
import { OutcomeUnknown } from '../../workloads/app-server/log/log-store.ts';
import type { Verified } from '../../workloads/app-server/log/user-log-verify.ts';
import { Misdirected } from '../../workloads/app-server/log/user-log-errors.ts';
import { Membership } from '../../workloads/app-server/ring/membership.ts';
import { SimSession } from './coordination-session.ts';
import type { SimCoordination } from './coordination-server.ts';
import type { History } from './history.ts';
import { Link } from './link.ts';
import type { Model, SimLogs } from './model.ts';
import { withoutAcks, withoutGate, withoutLease, type Mutation } from './mutations.ts';
import type { Links } from './network.ts';
import { SimProcess } from './process.ts';
import type { Random } from './random.ts';
import { SimStore, type Disk } from './store.ts';
import { describeAsk, isStream, requestOf, type Ask } from './asks.ts';
import { sendTo, type HttpRequest } from './wire.ts';
import type { Told } from './told.ts';
import type { World } from './world.ts';

const SESSION_TIMEOUT_MS = 2_000;

/** How long a planned leave may take for its snapshots. */
const SAVE_MS = 3_000;

/** How late a server may hear of another's leave from that one, and how often it hears it twice. */
const TOLD_JITTER_MS = 300;
const TOLD_DOUBLES = 0.2;

/** Longer than those who serve wait for it. */
const LONGEST_PREPARATION_MS = 1_500;

/** How long those who take over have to read ahead before a planned leave. */
const LONGEST_AHEAD_MS = 300;

export type Parts = {
  world: World;
  random: Random;
  coordination: SimCoordination;
  disk: Disk;
  history: History;
  told: Told;
  model: Model;
  mutation: Mutation | undefined;
  /** All of the cell. */
  nodes: readonly SimNode[];
};

export type ClientRequest =
  { kind: 'deliver'; key: string; deliveryKey: string } | { kind: 'read'; key: string; slowMs: number } | Ask;

export type Answer =
  { ok: true } | { ok: false; error: string; owner: string | undefined; retryAfterMs: number };

type Running = {
  process: SimProcess;
  membership: Membership;
  logs: SimLogs;
  sessions: Set<SimSession>;
};

export class SimNode {
  readonly name: string;
  readonly coordinationLinks: Links;
  readonly storeLinks: Links;
  readonly #parts: Parts;
  readonly #random: Random;
  readonly #servers = new Map<string, Links>();
  #running: Running | undefined;
  #starts = 0;
  #attempts = 0;

  constructor(name: string, parts: Parts) {
    this.name = name;
    this.#parts = parts;
    this.#random = parts.random.fork(name);
    this.coordinationLinks = this.#linksTo('coordination');
    this.storeLinks = this.#linksTo('store');
  }

  #linksTo(other: string): Links {
    const { world } = this.#parts;
    return {
      up: new Link(world, `${this.name}>${other}`, this.#random),
      down: new Link(world, `${other}>${this.name}`, this.#random),
    };
  }

  #wayTo(server: string): Links {
    const links = this.#servers.get(server) ?? this.#linksTo(server);
    this.#servers.set(server, links);
    links.up.jitterMs = links.down.jitterMs = TOLD_JITTER_MS;
    links.up.doubles = TOLD_DOUBLES;
    return links;
  }

  get process(): SimProcess | undefined {
    return this.#running?.process;
  }

  get isReady(): boolean {
    return this.#running?.membership.isReady() ?? false;
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  /** Whether this node, if asked now, would answer for the key. */
  answersFor(key: string): boolean {
    return this.#running?.process.isRunning === true && this.#running.membership.owns(key);
  }

  start(): void {
    if (this.#running) return;
    const { world, coordination, disk, model, mutation } = this.#parts;
    const instance = String(++this.#starts);
    const random = this.#random.fork(instance);
    const process = new SimProcess(world, `${this.name}#${instance}`, random);
    const { clock } = process;
    const sessions = new Set<SimSession>();
    const membership: Membership = new Membership({
      clock: mutation === 'no lease' ? withoutLease(clock) : clock,
      openSession: async () => {
        const session = new SimSession(process, coordination, this.coordinationLinks, SESSION_TIMEOUT_MS);
        sessions.add(session);
        session.onState((state) => {
          world.trace(`${process.name} session ${session.sessionId} ${state}`);
          if (state === 'expired' || state === 'closed') sessions.delete(session);
        });
        await connected(session);
        return mutation === 'no acks' ? withoutAcks(session) : session;
      },
      identity: {
        name: this.name,
        url: `http://${this.name}`,
        tokens: 8,
        version: 'simulated',
        pid: this.#starts,
      },
      instance,
      prepare: async (newcomers) => {
        this.#tellAhead(newcomers, logs.openKeys());
        await delay(clock, random.between(0, LONGEST_PREPARATION_MS));
      },
      tellLeft: (member, session) => this.#tellLeft(member, session),
      release: (predicate) => (mutation === 'no release' ? Promise.resolve() : logs.release(predicate)),
      onLoss: () => logs.door?.gaveUp(),
    });
    const links = this.storeLinks;
    const logs = model.openLogs({
      store: new SimStore({ world, process, links, disk, random: random.fork('store'), mutation }),
      gate: mutation === 'no gate check' ? withoutGate(membership) : membership,
      clock,
      pick: (choices) => random.pick(choices),
      mutation,
      serves: () => membership.isReady(),
    });
    this.#running = { process, membership, logs, sessions };
    void membership.join();
  }

  kill(): void {
    this.#running?.process.kill();
    this.#running = undefined;
  }

  /** A planned leave. @returns resolves when it has left; never when it is killed meanwhile */
  async leave(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    await running.logs.saveSnapshots(SAVE_MS);
    this.#tellAhead(
      this.#parts.nodes.filter((node) => node !== this),
      running.logs.openKeys(),
    );
    await delay(running.process.clock, this.#random.between(0, LONGEST_AHEAD_MS));
    await running.membership.leave();
    await running.logs.close();
    if (this.#running === running) this.kill();
  }

  /** Others are asked to read ahead what may be theirs soon. Nobody waits for their answers. */
  #tellAhead(others: readonly { name: string }[], keys: readonly string[]): void {
    for (const { name } of others)
      this.#wayTo(name).up.send('read ahead', () => this.#other(name)?.readAhead(keys));
  }

  #other(name: string): SimNode | undefined {
    return this.#parts.nodes.find((node) => node.name === name);
  }

  readAhead(keys: readonly string[]): void {
    const running = this.#running;
    running?.process.run(() => void running.logs.readAhead(keys));
  }

  /** It may be late, come twice or be lost. */
  async #tellLeft({ name }: { name: string }, session: string): Promise<void> {
    const { up, down } = this.#wayTo(name);
    await new Promise<void>((resolve) =>
      up.send(`${session} has left`, () =>
        this.#other(name)?.hear(session, () => down.send('heard', resolve)),
      ),
    );
  }

  hear(session: string, reply: () => void): void {
    const running = this.#running;
    running?.process.run(() => {
      running.membership.hasLeft(session);
      reply();
    });
  }

  /** What an operator may do at any time: the image of a key is made anew from its log. */
  async regenerate(key: string): Promise<void> {
    await this.#running?.logs.regenerate(key);
  }

  /** Compares what is served and what is stored with the log. @throws as UserLogs.verify */
  async verify(key: string): Promise<Verified | undefined> {
    return await this.#running?.logs.verify(key);
  }

  resetConnections(): void {
    for (const session of this.#running?.sessions ?? []) session.reset();
  }

  /** A request reaches the node; the answer goes to `reply` if there is one. */
  handle(request: ClientRequest, reply: (answer: Answer) => void): void {
    const running = this.#running;
    if (!running) return reply({ ok: false, error: 'ConnectionRefused', owner: undefined, retryAfterMs: 50 });
    running.process.run(() => {
      if (request.kind === 'ask') return this.#answer(running, request, reply);
      const work =
        request.kind === 'deliver' ? this.#deliver(running, request) : this.#read(running, request);
      work.then(
        () => reply({ ok: true }),
        (error: unknown) => reply(refusal(error)),
      );
    });
  }

  /** A request to the server's API by whoever runs the cell; nobody hears the answer if the server is gone by then. */
  request(asked: HttpRequest, answered: (status: number, body: string) => void): void {
    const running = this.#running;
    running?.process.run(() => {
      if (running.logs.door) sendTo(running.logs.door.app, asked, { said: () => undefined, done: answered });
    });
  }

  /** Asked by a client: what is said is looked at, and a stream is followed for its time. */
  #answer({ logs, process }: Running, ask: Ask, reply: (answer: Answer) => void): void {
    const { history, told, world } = this.#parts;
    if (!logs.door) throw new Error('users who are toys are asked nothing');
    const begun = history.begin(ask.key);
    let isOver = false;
    const settle = (status: number, body: string): void => {
      if (isOver) return;
      isOver = true;
      world.trace(`${process.name} ${describeAsk(ask)} of ${ask.key}: ${status}`);
      told.answered(ask, status, begun);
      reply(answerOf(status, body));
    };
    const hangUp = sendTo(logs.door.app, requestOf(ask), {
      said(status, text) {
        told.said(ask, status, text);
        if (status === 200 && isStream(ask)) settle(status, '');
      },
      done: settle,
    });
    if (isStream(ask)) process.clock.after(ask.forMs, hangUp);
  }

  async #deliver({ logs }: Running, request: ClientRequest & { kind: 'deliver' }): Promise<void> {
    const { history } = this.#parts;
    const { key, deliveryKey } = request;
    const begun = history.begin(key);
    const delivery = { to: key, deliveryKey, attempt: `attempt ${++this.#attempts} of ${this.name}` };
    try {
      const result = await logs.deliver(delivery);
      history.acknowledge(begun, deliveryKey, result);
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) history.refuse(key, delivery.attempt);
      throw error;
    }
  }

  async #read({ logs, process }: Running, { key, slowMs }: ClientRequest & { kind: 'read' }): Promise<void> {
    const { history, world } = this.#parts;
    const begun = history.begin(key);
    const again = slowMs === 0 ? undefined : () => delay(process.clock, slowMs);
    const result = await logs.read(key, again);
    if (result.changed) world.fail(`${key} was changed under a reader`);
    history.answer(begun, result);
  }
}

/** To be asked again elsewhere (421) or later (503); all else is an answer, also a refusal. */
function answerOf(status: number, body: string): Answer {
  if (status !== 421 && status !== 503) return { ok: true };
  const { owner, retryAfterMs = 50 } = JSON.parse(body) as {
    owner?: { name: string };
    retryAfterMs?: number;
  };
  return { ok: false, error: `status ${status}`, owner: owner?.name, retryAfterMs };
}

function refusal(error: unknown): Answer {
  if (error instanceof Misdirected)
    return { ok: false, error: error.name, owner: error.owner?.name, retryAfterMs: error.retryAfterMs };
  const name = error instanceof Error ? error.name : String(error);
  return { ok: false, error: name, owner: undefined, retryAfterMs: 50 };
}

function connected(session: SimSession): Promise<void> {
  return new Promise((resolve, reject) => {
    session.onState((state) => {
      if (state === 'connected') resolve();
      if (state === 'expired' || state === 'closed')
        reject(new CoordinationError('session-expired', 'expired'));
    });
  });
}
