// For tests of memberships: servers against the simulated coordination.
import assert from 'node:assert/strict';
import { SimCoordination } from '../../../test/simulation/coordination-server.ts';
import { SimSession } from '../../../test/simulation/coordination-session.ts';
import { Link } from '../../../test/simulation/link.ts';
import { SimProcess } from '../../../test/simulation/process.ts';
import { Random } from '../../../test/simulation/random.ts';
import { World } from '../../../test/simulation/world.ts';
import type { CoordinationSession } from '../../common/coordination/coordination.ts';
import { LeaseLost, Misdirected } from '../log/user-log-errors.ts';
import { Membership, type MembershipOptions } from './membership.ts';

export const TIMEOUT_MS = 2_000;
export const KEYS = Array.from({ length: 200 }, (_, index) => `user:u${index}`);

export type Server = {
  name: string;
  membership: Membership;
  process: SimProcess;
  links: { up: Link; down: Link };
  /** What a release waits for. */
  underWay: Promise<void>;
  losses: number;
};

/** App servers of a cell, in simulated time. */
export class Cell {
  readonly world = new World();
  readonly coordination = new SimCoordination(this.world);
  readonly #random = new Random('cell');
  #starts = 0;

  /** @param onSession gets each session that it opens */
  start(
    name: string,
    more: Partial<MembershipOptions> = {},
    onSession: (session: CoordinationSession) => void = () => {},
  ): Server {
    const { world, coordination } = this;
    const random = this.#random.fork(name);
    const process = new SimProcess(world, name, random);
    const links = {
      up: new Link(world, `${name} up`, random),
      down: new Link(world, `${name} down`, random),
    };
    const server: Server = {
      name,
      process,
      links,
      underWay: Promise.resolve(),
      losses: 0,
      membership: new Membership({
        clock: process.clock,
        openSession: (signal) => {
          const session = new SimSession(process, coordination, links, TIMEOUT_MS);
          onSession(session);
          return new Promise((resolve, reject) => {
            session.onState((state) => state === 'connected' && resolve(session));
            signal.addEventListener('abort', () => reject(signal.reason));
          });
        },
        identity: { name, url: `http://${name}`, tokens: 64, version: 'test', pid: 1 },
        instance: String(++this.#starts),
        release: () => server.underWay,
        onLoss: () => server.losses++,
        ...more,
      }),
    };
    void server.membership.join();
    return server;
  }

  /** @throws when it has not come true after so long */
  async until(condition: () => boolean, atMostMs = 60_000): Promise<void> {
    const deadline = this.world.now + atMostMs;
    await this.world.run(() => condition() || this.world.now > deadline);
    if (!condition()) throw new Error(`not so after ${atMostMs} ms: ${condition}`);
  }

  async serving(...servers: Server[]): Promise<void> {
    await this.until(() =>
      servers.every(
        ({ membership }) => membership.isReady() && membership.view.members.length === servers.length,
      ),
    );
    await this.wait(100);
  }

  async wait(ms: number): Promise<void> {
    const end = this.world.now + ms;
    this.world.after(ms, 'waited', () => {});
    await this.world.run(() => this.world.now >= end);
  }
}

export function answer(server: Server, key: string): 'yes' | Misdirected | LeaseLost {
  try {
    server.membership.assertOwner(key);
    return 'yes';
  } catch (error) {
    assert.ok(error instanceof Misdirected || error instanceof LeaseLost);
    return error;
  }
}

export const ownedBy = (server: Server) => KEYS.filter((key) => answer(server, key) === 'yes');
