// How long each stage of the work takes, over all processes that have it.
import { quantileMs, sum } from './histogram.ts';
import { type Ring, STRETCHES } from './history.ts';
import type { StageView } from './load-view.ts';
import { describeStage } from './saturation.ts';
import type { Watched } from './watched.ts';

/** A mail's way through the platform; stores come last, others in between. */
const ORDER = [
  'mta-proxy parse',
  'mta-proxy authenticate',
  'mta-proxy policy',
  'mta-proxy blob',
  'mta-proxy deliver',
  'app-server queue',
  'app-server open',
  'app-server index',
  'app-server append',
  'app-server snapshot',
  'app-server blob',
];
const MAX_STAGES = 60;

export function stageViews(watched: readonly Watched[]): StageView[] {
  const groups = new Map<string, { workload: string; stage: string; processes: Watched[] }>();
  for (const process of watched)
    for (const stage of process.history.stageNames()) {
      const { workload } = process.process;
      const name = `${workload} ${stage}`;
      const group = groups.get(name) ?? { workload, stage, processes: [] };
      group.processes.push(process);
      groups.set(name, group);
    }
  return Array.from(groups)
    .sort(([a, { stage: x }], [b, { stage: y }]) => rank(a, x) - rank(b, y) || (a < b ? -1 : 1))
    .slice(0, MAX_STAGES)
    .map(([, { workload, stage, processes }]) => stageView(workload, stage, processes));
}

function rank(name: string, stage: string): number {
  const index = ORDER.indexOf(name);
  if (index >= 0) return index;
  return ORDER.length + (stage.includes('/') ? 1 : 0);
}

function stageView(workload: string, stage: string, processes: readonly Watched[]): StageView {
  const rates = processes.flatMap(({ process, history }) => {
    const rate = history.reading?.stages.get(stage);
    return rate ? [{ name: process.name, ...rate }] : [];
  });
  const all = sum(rates.map(({ histogram }) => histogram));
  const slowest = rates
    .filter(({ p99Seconds }) => p99Seconds !== undefined)
    .toSorted((a, b) => (b.p99Seconds ?? 0) - (a.p99Seconds ?? 0))[0];
  const usual = processes.flatMap(({ history }) => history.usualSeconds(stage) ?? []);
  return {
    workload,
    stage,
    title: describeStage(stage),
    perSecond: rates.reduce((total, { perSecond }) => total + perSecond, 0),
    p50Ms: quantileMs(all, 0.5),
    p99Ms: quantileMs(all, 0.99),
    usualMs: usual.length === 0 ? null : Math.max(...usual) * 1_000,
    slowest: rates.length > 1 ? (slowest?.name ?? null) : null,
    history: maxOf(processes.flatMap(({ history }) => history.stageRing(stage) ?? [])),
  };
}

/** The longest in milliseconds: a mean of 99th percentiles is none. */
function maxOf(rings: readonly Ring[]): (number | null)[] {
  const longest: (number | null)[] = Array.from({ length: STRETCHES }, () => null);
  for (const ring of rings)
    ring.means().forEach((value, index) => {
      if (value !== undefined) longest[index] = Math.max(longest[index] ?? 0, value * 1_000);
    });
  return longest;
}
