// Group commit: appends of many keys to one region become one atomic write, with one sync of the write-ahead log. While
// one is under way the next gathers. What a group could not do together its members do alone: that is always right, for
// a conditional write that was done already finds its own bytes.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { HbaseClient } from '../../common/hbase/client.ts';
import { HbaseUnavailable, mayHaveRun } from '../../common/hbase/errors.ts';
import { regionOf, type Region } from '../../common/hbase/regions.ts';
import { putRow, putRows, type Condition, type Put } from '../../common/hbase/rows.ts';
import { inSpan, tracePlace, type Place } from '../../common/tracing.ts';

/** Measured: 64 rows take hardly longer than 16, more only wait for one another. */
const MAX_GROUP_ROWS = 64;
const MAX_GROUP_BYTES = 1024 * 1024;
/** What waits is shared out among the groups that may begin: in one group, all would wait for its sync, and then for one another. */
const MIN_SHARED_ROWS = 16;
/**
 * At one region server, which syncs its log once for all that came meanwhile; what comes while they are under way gathers.
 * The client alone is fastest with about four groups (`npm run bench:append`); with one it waits for each sync, and many
 * small ones cost the server more.
 */
export const MAX_GROUPS_UNDER_WAY = 4;
/** A group that takes longer counts no more: its region may be on the move, and those of others are not to wait for it. */
const SLOW_GROUP_MS = 100;
/** A group that takes longer is in trouble; its members then have their own deadlines. */
const GROUP_DEADLINE_MS = 2_000;

type Waiting = {
  put: Put;
  condition: Condition;
  /** On the steady clock: the time in the queue counts, too. */
  deadline: number;
  bytes: number;
  /** Runs work in the trace of the request that this is for: what starts a group is mostly the end of another one. */
  here: <T>(work: () => T) => T;
  place: Place | undefined;
  resolve: (written: boolean) => void;
  reject: (error: unknown) => void;
};
/** What waits for a region. */
type Group = { waiting: Waiting[] };
/** What a region server has to do: groups under way, and those that wait, the longest first. */
type Server = { running: number; ready: Group[]; woken: boolean };

export class AppendGroups {
  readonly #client: HbaseClient;
  readonly #table: string;
  /** Kept as long as the region is known: a Map of those that wait would keep alive what passes through it (NumberMap). */
  readonly #groups = new WeakMap<Region, Group>();
  readonly #servers = new Map<string, Server>();

  constructor(client: HbaseClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /** Groups under way at the region server that has most of them. */
  get underWay(): number {
    return Math.max(0, ...Array.from(this.#servers.values(), ({ running }) => running));
  }

  /** Appends that wait for a group, in all. */
  get waiting(): number {
    return this.#servers.values().reduce((sum, { ready }) => sum + countWaiting(ready), 0);
  }

  /** As putRow. */
  async put(put: Put, condition: Condition, deadlineMs: number): Promise<boolean> {
    const region = this.#regionOf(put.row);
    // The write itself looks for it, then.
    if (!region) return await putRow(this.#client, this.#table, put, condition, { deadlineMs });
    return await new Promise((resolve, reject) => {
      const bytes = put.columns.reduce((sum, { value }) => sum + value.length, 0);
      const deadline = performance.now() + deadlineMs;
      const group = this.#groups.get(region) ?? { waiting: [] };
      this.#groups.set(region, group);
      const place = tracePlace();
      // It takes some microseconds, so only for those who see it.
      const here = place ? AsyncLocalStorage.snapshot() : anywhere;
      const server = this.#servers.get(region.server) ?? { running: 0, ready: [], woken: false };
      this.#servers.set(region.server, server);
      // One that others wait for already is in its server's line.
      if (group.waiting.length === 0) server.ready.push(group);
      group.waiting.push({ put, condition, deadline, bytes, here, place, resolve, reject });
      if (server.woken) return;
      server.woken = true;
      // Those who have just had their answers write again at once: in a moment all of them are here.
      setImmediate(() => {
        server.woken = false;
        this.#start(server);
      });
    });
  }

  #start(server: Server): void {
    const free = MAX_GROUPS_UNDER_WAY - server.running;
    if (free <= 0) return;
    const share = Math.ceil(countWaiting(server.ready) / free);
    const maxRows = Math.min(MAX_GROUP_ROWS, Math.max(MIN_SHARED_ROWS, share));
    while (server.running < MAX_GROUPS_UNDER_WAY) {
      const group = server.ready.shift();
      if (!group) return;
      const members = takeGroup(group, maxRows);
      if (group.waiting.length > 0) server.ready.push(group);
      server.running++;
      const end = (): void => {
        if (timer === undefined) return;
        clearTimeout(timer);
        timer = undefined;
        server.running--;
        this.#start(server);
      };
      let timer: NodeJS.Timeout | undefined = setTimeout(end, SLOW_GROUP_MS);
      void this.#commit(members).then(end);
    }
  }

  /** Resolves when all members have their answer. */
  async #commit(members: Waiting[]): Promise<void> {
    let groupMayHaveRun = false;
    const [first, ...others] = members;
    if (first && others.length > 0) {
      const deadlineMs = Math.min(GROUP_DEADLINE_MS, ...members.map(({ deadline }) => timeLeft(deadline)));
      const putAll = (): Promise<boolean> =>
        putRows(
          this.#client,
          this.#table,
          members.map(({ put }) => put),
          members.map(({ condition }) => condition),
          { deadlineMs },
        );
      try {
        const links = others.flatMap(({ place }) => place ?? []);
        const together = await first.here(() => inSpan('append group', putAll, { links }));
        if (together) {
          for (const { resolve } of members) resolve(true);
          return;
        }
      } catch (error) {
        groupMayHaveRun = mayHaveRun(error);
      }
    }
    await Promise.all(members.map((member) => member.here(() => this.#alone(member, groupMayHaveRun))));
  }

  /** @param ran whether the row may have been written before, or still be: then no failure is a certain one */
  async #alone({ put, condition, deadline, resolve, reject }: Waiting, ran: boolean): Promise<void> {
    try {
      resolve(await putRow(this.#client, this.#table, put, condition, { deadlineMs: timeLeft(deadline) }));
    } catch (error) {
      reject(ran ? new HbaseUnavailable('a group of appends got no answer', true, error) : error);
    }
  }

  /** undefined: not known now */
  #regionOf(row: Uint8Array): Region | undefined {
    try {
      const regions = this.#client.knownRegions(this.#table);
      return regions && regionOf(regions, row);
    } catch {
      return undefined;
    }
  }
}

const countWaiting = (groups: readonly Group[]): number =>
  groups.reduce((sum, { waiting }) => sum + waiting.length, 0);

const anywhere = <T>(work: () => T): T => work();

/** At 0 a call is given up before it is sent. */
const timeLeft = (deadline: number): number => Math.max(0, deadline - performance.now());

/** The oldest, each row once: two writes of one row must not be in one group, both of their conditions would hold. */
function takeGroup(group: Group, maxRows: number): Waiting[] {
  const taken: Waiting[] = [];
  const left: Waiting[] = [];
  const rows = new Set<string>();
  let bytes = 0;
  for (const one of group.waiting) {
    const row = Buffer.from(one.put.row).toString('latin1');
    const fits = taken.length < maxRows && (taken.length === 0 || bytes + one.bytes <= MAX_GROUP_BYTES);
    if (fits && !rows.has(row)) {
      taken.push(one);
      rows.add(row);
      bytes += one.bytes;
    } else left.push(one);
  }
  group.waiting = left;
  return taken;
}
