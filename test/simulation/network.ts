// The ways between clients and servers, each pair its own, so that any of them can be cut alone.
import { Link } from './link.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

export type Links = { up: Link; down: Link };

export class Network {
  readonly #pairs = new Map<string, Links & { client: string; server: string }>();

  constructor(
    world: World,
    random: Random,
    clients: readonly string[],
    servers: readonly string[],
    doubles: number,
  ) {
    for (const client of clients) {
      for (const server of servers) {
        const up = new Link(world, `${client}>${server}`, random);
        const down = new Link(world, `${server}>${client}`, random);
        up.doubles = doubles;
        this.#pairs.set(pairName(client, server), { up, down, client, server });
      }
    }
  }

  between(client: string, server: string): Links {
    const pair = this.#pairs.get(pairName(client, server));
    if (!pair) throw new Error(`no way between ${client} and ${server}`);
    return pair;
  }

  /** All ways of a client, of a server, or of a pair (`c0~n1`). */
  of(name: string): Link[] {
    const found: Link[] = [];
    for (const [pair, { up, down, client, server }] of this.#pairs)
      if (pair === name || client === name || server === name) found.push(up, down);
    return found;
  }
}

export function pairName(client: string, server: string): string {
  return `${client}~${server}`;
}
