// The load as a program of its own, for where the test itself can't reach: inside the cluster's network, when its API
// server, and with it every forwarded port, is away. Takes its orders as JSON and prints the report.
import { setTimeout as delay } from 'node:timers/promises';
import { loadDoors, type Doors } from './load.ts';
import type { User } from './mail.ts';

export type LoadOrders = { doors: Doors; users: User[]; name: string; forMs: number };

const { doors, users, name, forMs } = JSON.parse(process.argv[2] ?? '') as LoadOrders;
const load = loadDoors(doors, users, name);
await delay(forMs);
process.stdout.write(JSON.stringify(await load.stop()));
