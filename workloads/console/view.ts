// Makes what people are shown of what was seen.
import type { Collector } from './collector.ts';
import { quantileMs, sum } from './histogram.ts';
import { type Ring, STRETCHES } from './history.ts';
import type { CellView, LoadView, MapView, ProcessView, TotalsView } from './load-view.ts';
import { findingsOf } from './saturation.ts';
import { stageViews } from './stage-views.ts';
import { busiestUsers } from './users.ts';
import type { Watched } from './watched.ts';

export type Seen = Pick<Collector, 'map' | 'mapProblem' | 'tracks' | 'watched'>;

/** @param intervalSeconds from one look to the next */
export function makeView(seen: Seen, at: Date, intervalSeconds: number): LoadView {
  const { watched } = seen;
  const appServers = watched.filter(({ member }) => member !== undefined);
  const findings = findingsOf(seen.tracks).map(({ process, kind, subject, text, sinceMs }) => ({
    process,
    kind,
    subject,
    text,
    since: new Date(sinceMs).toISOString(),
  }));
  const [first] = findings;
  return {
    at: at.toISOString(),
    intervalSeconds,
    bottleneck: first ? `${first.process}: ${first.text}` : null,
    findings,
    totals: totalsOf(appServers),
    map: mapView(seen),
    cells: cellViews(seen, appServers),
    services: watched
      .filter(({ member }) => member === undefined)
      .map(processView)
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    stages: stageViews(watched),
    users: busiestUsers(appServers),
  };
}

function mapView({ map, mapProblem }: Seen): MapView {
  return {
    version: map?.mapVersion ?? null,
    ageSeconds: map?.ageSeconds ?? 0,
    unassignedBuckets: map?.unassignedBuckets ?? 0,
    exceptions: map?.exceptions ?? 0,
    problem: mapProblem ?? null,
  };
}

function totalsOf(processes: readonly Watched[]): TotalsView {
  const requests = sum(
    processes.flatMap(({ history }) => (history.reading ? [history.reading.requests] : [])),
  );
  return {
    ...ratesOf(processes),
    p50Ms: quantileMs(requests, 0.5),
    p99Ms: quantileMs(requests, 0.99),
    history: sumOf(processes.map(({ history }) => history.requests)),
  };
}

function ratesOf(
  processes: readonly Watched[],
): Pick<TotalsView, 'requestsPerSecond' | 'errorsPerSecond' | 'appendsPerSecond'> {
  const rates = { requestsPerSecond: 0, errorsPerSecond: 0, appendsPerSecond: 0 };
  for (const { history } of processes) {
    rates.requestsPerSecond += history.reading?.requestsPerSecond ?? 0;
    rates.errorsPerSecond += history.reading?.errorsPerSecond ?? 0;
    rates.appendsPerSecond += history.reading?.stages.get('append')?.perSecond ?? 0;
  }
  return rates;
}

function cellViews({ map }: Seen, appServers: readonly Watched[]): CellView[] {
  const assigned = (map?.cells ?? []).reduce((total, { buckets }) => total + buckets, 0);
  return (map?.cells ?? []).map(({ name, state, dataCenter, buckets, ageSeconds, problem }) => {
    const nodes = appServers.filter(({ member }) => member?.cell === name);
    const { p99Ms, history, ...rates } = totalsOf(nodes);
    const storeCalls = nodes.flatMap((node) =>
      Array.from(node.history.reading?.stages ?? [])
        .filter(([stage]) => stage.startsWith('hbase/') || stage.startsWith('sqlite/'))
        .map(([, { histogram }]) => histogram),
    );
    return {
      name,
      state,
      dataCenter,
      buckets,
      share: assigned === 0 ? 0 : buckets / assigned,
      ageSeconds,
      problem: problem ?? null,
      requestsPerSecond: rates.requestsPerSecond,
      errorsPerSecond: rates.errorsPerSecond,
      appendsPerSecond: rates.appendsPerSecond,
      p99Ms,
      storeP99Ms: quantileMs(sum(storeCalls), 0.99),
      history,
      nodes: nodes.map(processView),
    };
  });
}

function processView({ process, member, problem, history }: Watched): ProcessView {
  const { reading } = history;
  const ringState = member && (member.lostAtMs === undefined ? member.state : 'lost');
  const fullest = Array.from(reading?.queues ?? []).sort(
    ([, a], [, b]) => b.depth / (b.limit ?? Infinity) - a.depth / (a.limit ?? Infinity),
  )[0];
  return {
    name: member?.node ?? process.name,
    workload: process.workload,
    url: process.url,
    state: problem === undefined ? (ringState ?? 'up') : ringState === 'lost' ? 'lost' : 'down',
    problem: problem ?? null,
    share: member?.share ?? null,
    version: member?.version ?? null,
    requestsPerSecond: reading?.requestsPerSecond ?? 0,
    errorsPerSecond: reading?.errorsPerSecond ?? 0,
    p50Ms: reading ? quantileMs(reading.requests, 0.5) : null,
    p99Ms: reading ? quantileMs(reading.requests, 0.99) : null,
    cpuCores: reading?.cpuCores ?? null,
    loopBusy: reading?.loopBusy ?? null,
    lagMs: reading ? reading.loopLagSeconds * 1_000 : null,
    memoryBytes: reading?.residentBytes ?? null,
    memoryLimitBytes: reading?.memoryLimitBytes ?? null,
    queue: fullest ? { name: fullest[0], depth: fullest[1].depth, limit: fullest[1].limit ?? null } : null,
    history: history.requests.means().map((value) => value ?? null),
  };
}

/** Where nobody knows, nothing is known. */
function sumOf(rings: readonly Ring[]): (number | null)[] {
  const total: (number | null)[] = Array.from({ length: STRETCHES }, () => null);
  for (const ring of rings)
    ring.means().forEach((value, index) => {
      if (value !== undefined) total[index] = (total[index] ?? 0) + value;
    });
  return total;
}
