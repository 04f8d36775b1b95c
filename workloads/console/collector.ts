// Looks at every process of the platform again and again, and keeps what it saw.
import { setTimeout as delay } from 'node:timers/promises';
import { ZodError } from 'zod';
import { DirectoryFollower } from '../common/cell-client/follower.ts';
import { mapSummary, type MapSummary } from '../common/cell-client/map-summary.ts';
import { bearer } from '../common/http/platform-token.ts';
import type { Clock } from '../common/clock.ts';
import type { Verdict } from '../common/http/health.ts';
import type { Logger } from '../common/log.ts';
import { inParallel } from '../common/parallel.ts';
import { allWell, Pulse } from '../common/pulse.ts';
import { ask } from './ask.ts';
import { updateRoster, type RosterEntry } from './roster.ts';
import { downGauge, follow, frozenUsual, gaugesOf, type Gauge, type Tracks } from './saturation.ts';
import { Targets, type Process, type Target } from './targets.ts';
import { Watched } from './watched.ts';

/** Looks under way at once. */
const PARALLEL_LOOKS = 64;
/** More are not looked at: each takes some 50 KB of history. */
const MAX_PROCESSES = 2_000;
/** For so long it is remembered that a server said it leaves. */
const LEFT_MS = 60_000;
/** From then on it matters that nothing is heard of a cell's coordination. */
const STALE_SECONDS = 5;
/** As many processes as it looks at, none of which answers in time, take a minute. */
const LONGEST_LOOK_MS = 5 * 60_000;

export type CollectorOptions = {
  discoveryUrl: string;
  token: string;
  targets: readonly Target[];
  intervalMs: number;
  logger: Logger;
  /** Called after each look. */
  onLook: (state: Collector) => void;
  clock?: Clock;
};

export class Collector {
  readonly #options: CollectorOptions;
  readonly #targets: Targets;
  readonly #follower: DirectoryFollower;
  readonly #left = new Map<string, number>();
  readonly #watched = new Map<string, Watched>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  readonly #pulse: Pulse;
  #roster: RosterEntry[] = [];
  /** As of the last time that discovery answered. */
  map: MapSummary | undefined;
  mapProblem: string | undefined = 'it has not been asked yet';
  tracks: Tracks = new Map();

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#targets = new Targets(options.targets, options.logger);
    this.#follower = new DirectoryFollower(options);
    this.#follower.onChange(() => this.#noteLeaving());
    this.#pulse = new Pulse('looking at the platform', options.clock, LONGEST_LOOK_MS);
    this.#running = this.#run();
  }

  get watched(): Watched[] {
    return [...this.#watched.values()];
  }

  /** Not well when a look does not end. */
  health(): Verdict {
    return allWell([this.#pulse, this.#follower]);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#running, this.#targets.close(), this.#follower.close()]);
  }

  async #run(): Promise<void> {
    const { intervalMs, onLook, logger } = this.#options;
    const { signal } = this.#closing;
    let next = performance.now();
    while (!signal.aborted) {
      this.#pulse.beat();
      try {
        await this.#look(signal);
        if (!signal.aborted) onLook(this);
      } catch (error) {
        logger.error({ err: error }, 'a look at the platform failed');
      }
      next = Math.max(next + intervalMs, performance.now());
      await delay(Math.max(0, next - performance.now()), undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const asked = this.#askMap(signal);
    this.#updateWatched();
    const { token } = this.#options;
    await Promise.all([asked, inParallel(this.watched, PARALLEL_LOOKS, (one) => one.look(token, signal))]);
    const gauges = [...this.watched.flatMap((one) => this.#gauges(one)), ...this.#cellGauges()];
    this.tracks = follow(this.tracks, gauges, Date.now());
  }

  async #askMap(signal: AbortSignal): Promise<void> {
    const { discoveryUrl, token } = this.#options;
    try {
      const url = `${discoveryUrl.replace(/\/+$/, '')}/v1/summary`;
      this.map = mapSummary.parse(JSON.parse(await ask(url, { authorization: bearer(token) }, signal)));
      this.mapProblem = undefined;
    } catch (error) {
      this.mapProblem = error instanceof ZodError ? 'its answer is no map' : (error as Error).message;
      return;
    }
    const now = Date.now();
    for (const [name, atMs] of this.#left) if (now - atMs > LEFT_MS) this.#left.delete(name);
    const cells = this.map.cells.filter(({ state }) => state === 'Enabled' || state === 'Draining');
    const members = this.map.cells.flatMap((cell) =>
      cell.members.map(({ name, ...member }) => ({ cell: cell.name, node: name, ...member })),
    );
    this.#roster = updateRoster(
      this.#roster.map((entry) =>
        this.#left.has(`${entry.cell}/${entry.node}`) ? { ...entry, state: 'draining' as const } : entry,
      ),
      members,
      new Set(cells.map(({ name }) => name)),
      now,
    );
  }

  /** A server drains for a moment only, between two looks: the stream tells of it. */
  #noteLeaving(): void {
    for (const cell of this.#follower.directory.cells())
      for (const { name, state } of cell.ring?.members ?? [])
        if (state === 'draining') this.#left.set(`${cell.name}/${name}`, Date.now());
        else this.#left.delete(`${cell.name}/${name}`);
  }

  #updateWatched(): void {
    const wanted = new Map<string, { process: Process; member: RosterEntry | undefined }>();
    for (const member of this.#roster) {
      const process = { workload: 'app-server', name: `app-server ${member.node}`, url: member.url };
      wanted.set(`app-server ${member.cell}/${member.node}`, { process, member });
    }
    for (const process of this.#targets.processes())
      wanted.set(`${process.name} ${process.url}`, { process, member: undefined });
    for (const id of this.#watched.keys()) if (!wanted.has(id)) this.#watched.delete(id);
    for (const [id, { process, member }] of wanted) {
      let one = this.#watched.get(id);
      if (!one) {
        if (this.#watched.size >= MAX_PROCESSES) break;
        this.#watched.set(id, (one = new Watched(id, process, member)));
      }
      one.process = process;
      one.member = member;
    }
  }

  #gauges(one: Watched): Gauge[] {
    const { reading } = one.history;
    const own = reading
      ? gaugesOf(
          one.process.name,
          reading,
          (key, stage) => frozenUsual(this.tracks, key) ?? one.history.usualSeconds(stage),
        )
      : [];
    return [downGauge(one.process.name, one.trouble), ...own];
  }

  #cellGauges(): Gauge[] {
    return (this.map?.cells ?? [])
      .filter(({ state }) => state === 'Enabled' || state === 'Draining')
      .map(({ name, ageSeconds, members }) => {
        const isStale = ageSeconds >= STALE_SECONDS;
        const serves = members.some(({ state }) => state === 'serving');
        const stale = `discovery has heard nothing of its ZooKeeper for ${Math.round(ageSeconds)} s`;
        return downGauge(
          `cell ${name}`,
          isStale ? stale : serves ? undefined : 'it has no app server that serves',
        );
      });
  }
}
