// Group commit: appends of many keys to one region become one atomic write, with one sync of the write-ahead log. While
// one is under way the next gathers. What a group could not do together its members do alone: that is always right, for
// a conditional write that was done already finds its own bytes.
import type { HbaseClient } from '../../common/hbase/client.ts';
import { HbaseUnavailable, mayHaveRun } from '../../common/hbase/errors.ts';
import { regionOf } from '../../common/hbase/regions.ts';
import { putRow, putRows, type Condition, type Put } from '../../common/hbase/rows.ts';

/** Measured: 64 rows take hardly longer than 16, more only wait for one another. */
const MAX_GROUP_ROWS = 64;
const MAX_GROUP_BYTES = 1024 * 1024;
/** A group that takes longer is in trouble; its members then have their own deadlines. */
const GROUP_DEADLINE_MS = 2_000;

type Waiting = {
  put: Put;
  condition: Condition;
  /** On the steady clock: the time in the queue counts, too. */
  deadline: number;
  bytes: number;
  resolve: (written: boolean) => void;
  reject: (error: unknown) => void;
};
type Group = { waiting: Waiting[]; running: boolean };

export class AppendGroups {
  readonly #client: HbaseClient;
  readonly #table: string;
  readonly #groups = new Map<string, Group>();

  constructor(client: HbaseClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /** As putRow. */
  async put(put: Put, condition: Condition, deadlineMs: number): Promise<boolean> {
    const deadline = performance.now() + deadlineMs;
    const name = await this.#regionName(put.row);
    if (name === undefined)
      return await putRow(this.#client, this.#table, put, condition, { deadlineMs: timeLeft(deadline) });
    return await new Promise((resolve, reject) => {
      const group = this.#groups.get(name) ?? { waiting: [], running: false };
      this.#groups.set(name, group);
      const bytes = put.columns.reduce((sum, { value }) => sum + value.length, 0);
      group.waiting.push({ put, condition, deadline, bytes, resolve, reject });
      if (!group.running) void this.#run(name, group);
    });
  }

  async #run(name: string, group: Group): Promise<void> {
    group.running = true;
    while (group.waiting.length > 0) await this.#commit(takeGroup(group));
    group.running = false;
    this.#groups.delete(name);
  }

  /** Resolves when all members have their answer. */
  async #commit(members: Waiting[]): Promise<void> {
    let groupMayHaveRun = false;
    if (members.length > 1) {
      try {
        const together = await putRows(
          this.#client,
          this.#table,
          members.map(({ put }) => put),
          members.map(({ condition }) => condition),
          { deadlineMs: Math.min(GROUP_DEADLINE_MS, ...members.map(({ deadline }) => timeLeft(deadline))) },
        );
        if (together) {
          for (const { resolve } of members) resolve(true);
          return;
        }
      } catch (error) {
        groupMayHaveRun = mayHaveRun(error);
      }
    }
    await Promise.all(members.map((member) => this.#alone(member, groupMayHaveRun)));
  }

  /** @param ran whether the row may have been written before, or still be: then no failure is a certain one */
  async #alone({ put, condition, deadline, resolve, reject }: Waiting, ran: boolean): Promise<void> {
    try {
      resolve(await putRow(this.#client, this.#table, put, condition, { deadlineMs: timeLeft(deadline) }));
    } catch (error) {
      reject(ran ? new HbaseUnavailable('a group of appends got no answer', true, error) : error);
    }
  }

  async #regionName(row: Uint8Array): Promise<string | undefined> {
    try {
      return Buffer.from(regionOf(await this.#client.regions(this.#table), row).name).toString('latin1');
    } catch {
      // The regions are not known now: the write itself waits for them.
      return undefined;
    }
  }
}

/** At 0 a call is given up before it is sent. */
const timeLeft = (deadline: number): number => Math.max(0, deadline - performance.now());

/** The oldest, each row once: two writes of one row must not be in one group, both of their conditions would hold. */
function takeGroup(group: Group): Waiting[] {
  const taken: Waiting[] = [];
  const left: Waiting[] = [];
  const rows = new Set<string>();
  let bytes = 0;
  for (const one of group.waiting) {
    const row = Buffer.from(one.put.row).toString('latin1');
    const fits =
      taken.length < MAX_GROUP_ROWS && (taken.length === 0 || bytes + one.bytes <= MAX_GROUP_BYTES);
    if (fits && !rows.has(row)) {
      taken.push(one);
      rows.add(row);
      bytes += one.bytes;
    } else left.push(one);
  }
  group.waiting = left;
  return taken;
}
