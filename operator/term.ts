// What the operator does while it leads: caches, then controllers, until its term is over.
import type { Logger } from '../workloads/common/log.ts';
import { platformOf } from './cell/context.ts';
import { reconcileCell } from './cell/reconcile.ts';
import { reconcilePlatform } from './platform/reconcile.ts';
import { groupOf, MANAGED_SELECTOR, ownerLabel } from './resources/owner.ts';
import { reconcileRollout, rolloutsConcernedBy } from './rollout/reconcile.ts';
import type { KubeApi } from './runtime/api.ts';
import { Controller } from './runtime/controller.ts';
import { Events } from './runtime/events.ts';
import type { OperatorMetrics } from './runtime/metrics.ts';
import { keyOf, type KubeObject } from './runtime/resources.ts';
import { WatchCache } from './runtime/watch-cache.ts';
import type { Settings } from './settings.ts';
import type { Cell } from './types.ts';
import { CACHED, type Caches, type Outside, type World } from './world.ts';

export type TermOptions = {
  api: KubeApi;
  settings: Settings;
  outside: Outside;
  metrics: OperatorMetrics;
  logger: Logger;
  /** Everything that the API server holds is known. */
  onSynced: () => void;
};

/** Runs until the term ends; what it does to the API ends with the term, too. */
export async function runTerm(options: TermOptions, term: AbortSignal): Promise<void> {
  const { settings, outside, metrics, logger } = options;
  const api = options.api.until(term);
  const common = { workers: settings.workers, metrics, logger };
  const cells = new Controller({ ...common, name: 'cell', reconcile: (key) => reconcileCell(world, key) });
  const platforms = new Controller({
    ...common,
    name: 'platform',
    reconcile: (key) => reconcilePlatform(world, key),
  });
  const rollouts = new Controller({
    ...common,
    name: 'rollout',
    reconcile: (key) => reconcileRollout(world, key),
  });
  const caches = openCaches({ api, metrics, logger }, (object) => {
    enqueue(object, caches, cells, platforms);
    for (const key of rolloutsConcernedBy(object, caches)) rollouts.queue.add(key);
  });
  const all = Object.values(caches);
  const events = new Events({ api, instance: settings.identity, logger });
  const world: World = { api, caches, events, outside, settings, logger };
  const over = new Promise<void>((resolve) => {
    if (term.aborted) resolve();
    else term.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    await Promise.race([Promise.all(all.map((cache) => cache.synced)), over]);
    if (term.aborted) return;
    logger.info({ cells: caches.cells.list().length }, 'caches have synced');
    options.onSynced();
    cells.start();
    platforms.start();
    rollouts.start();
    await over;
  } finally {
    await Promise.all([
      cells.close(),
      platforms.close(),
      rollouts.close(),
      ...all.map((cache) => cache.close()),
    ]);
  }
}

type CacheCommon = { api: KubeApi; metrics: OperatorMetrics; logger: Logger };

function openCaches(common: CacheCommon, onChange: (object: KubeObject) => void): Caches {
  const managed = { query: { labelSelector: MANAGED_SELECTOR } };
  const open = <K extends keyof Caches>(
    name: K,
    more: { query?: Record<string, string> } = managed,
  ): WatchCache<CachedBy<K>> =>
    new WatchCache<CachedBy<K>>({ ...common, type: CACHED[name], groupOf, ...more, onChange });
  return {
    cells: open('cells', {}),
    platforms: open('platforms', {}),
    rollouts: open('rollouts', {}),
    statefulSets: open('statefulSets'),
    deployments: open('deployments'),
    pods: open('pods'),
    secrets: open('secrets'),
    volumeClaims: open('volumeClaims'),
    services: open('services'),
    configMaps: open('configMaps'),
    disruptionBudgets: open('disruptionBudgets'),
    networkPolicies: open('networkPolicies'),
  };
}

type CachedBy<K extends keyof Caches> = Caches[K] extends WatchCache<infer T> ? T : never;

/** A change of an object concerns its owner; one of a platform all its cells. */
function enqueue(object: KubeObject, caches: Caches, cells: Controller, platforms: Controller): void {
  const { labels = {}, namespace = '' } = object.metadata;
  if (object.kind === 'Cell') {
    cells.queue.add(keyOf(object));
    const platform = keyOf({ metadata: platformOf(object as Cell) });
    const { namespace, name } = platformOf(object as Cell);
    // A platform that is to go waits for its cells to be gone.
    if (caches.platforms.get(namespace, name)?.metadata.deletionTimestamp) platforms.queue.add(platform);
    return;
  }
  if (object.kind === 'Platform') platforms.queue.add(keyOf(object));
  const cell = labels[ownerLabel('Cell')];
  const platform = object.kind === 'Platform' ? object.metadata.name : labels[ownerLabel('Platform')];
  if (cell !== undefined) cells.queue.add(`${namespace}/${cell}`);
  if (platform === undefined) return;
  if (object.kind !== 'Platform') platforms.queue.add(`${namespace}/${platform}`);
  if (object.kind === 'Platform' || object.kind === 'Secret') {
    for (const other of cellsOf(caches, `${namespace}/${platform}`)) cells.queue.add(keyOf(other));
  }
}

function cellsOf(caches: Caches, platform: string): Cell[] {
  return caches.cells.list().filter((cell) => keyOf({ metadata: platformOf(cell) }) === platform);
}
