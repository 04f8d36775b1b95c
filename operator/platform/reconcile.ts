// Brings a platform from what is to what its spec says: credentials, ZooKeeper, discovery, the doors.
import { platformOf } from '../cell/context.ts';
import { ensembleGate, type EnsembleMark } from '../ensemble.ts';
import { addFinalizer, removeFinalizer } from '../finalizer.ts';
import { observeDeployment, observeStatefulSet, ofRole, podTroubles, type Observed } from '../observe.ts';
import { ownerOf } from '../resources/owner.ts';
import type { ReconcileResult } from '../runtime/controller.ts';
import { keyOf, splitKey, type KubeObject } from '../runtime/resources.ts';
import { DONE, runSteps, throwFailures, waitFor, type Step, type StepResult } from '../runtime/steps.ts';
import { writeStatus } from '../status.ts';
import { stopRole, tearDown } from '../tear-down.ts';
import { tellOfChanges } from '../tell.ts';
import { isUnmanaged } from '../unmanaged.ts';
import type { Platform } from '../types.ts';
import { ensureAll, messageOf, type World } from '../world.ts';
import { imagesOf, platformContext, type PlatformContext } from './context.ts';
import { ensureCredentials } from './credentials.ts';
import { consoleResources } from './resources/console.ts';
import { countsResources, hasMemcached, memcachedResources } from './resources/counts.ts';
import { platformEnsembleResources } from './resources/ensemble.ts';
import {
  discoveryResources,
  mtaProxyResources,
  userIndexResources,
  webResources,
} from './resources/services.ts';
import { rollEnsemble } from './roll.ts';
import { platformStatus, type PlatformObservation } from './status.ts';

const PLATFORM_FINALIZER = 'cellpost.dev/platform';
/** While something outside of Kubernetes is waited for, no watch tells when it has come. */
const LOOK_AGAIN_MS = 10_000;
const ROLL_AGAIN_MS = 2_000;

type PlatformStepName =
  | 'credentials'
  | 'zookeeper'
  | 'discovery'
  | 'mta-proxy'
  | 'user-index'
  | 'memcached'
  | 'memcache-dirty'
  | 'console'
  | 'web'
  | 'roll';

export async function reconcilePlatform(world: World, key: string): Promise<ReconcileResult> {
  const { namespace, name } = splitKey(key);
  const platform = world.caches.platforms.get(namespace, name);
  if (!platform || isUnmanaged(platform)) return {};
  if (!platform.metadata.deletionTimestamp) {
    await addFinalizer(world, world.caches.platforms, platform, PLATFORM_FINALIZER);
    return await bringUp(world, platform);
  }
  if (!platform.metadata.finalizers?.includes(PLATFORM_FINALIZER)) return {};
  return await takeDown(world, platform);
}

async function bringUp(world: World, platform: Platform, refusal?: string): Promise<ReconcileResult> {
  const context = platformContext(platform, world.settings);
  const observed = observe(world, context, platform);
  const now = new Date();
  const formedAt = platform.status?.zookeeper?.formedAt;
  const marks: EnsembleMark = formedAt === undefined ? {} : { formedAt };
  const reports = await runSteps(platformSteps(world, platform, context, observed, marks, now), messageOf);
  const status = platformStatus({
    platform,
    // What the steps have just changed is not up to date yet.
    observed: observe(world, context, platform),
    reports,
    formedAt: marks.formedAt,
    discoveryUrl: context.discoveryUrl,
    image: context.images.cellpost,
    images: imagesOf(platform, world.settings),
    refusal,
    now,
  });
  await writeStatus(world, world.caches.platforms, platform, status);
  await tellOfChanges(world.events, platform, status);
  throwFailures(reports);
  // Servers in a roll change from one second to the next, and only they tell.
  if (reports.some(({ name: step, outcome }) => step === 'roll' && outcome === 'waiting'))
    return { againInMs: ROLL_AGAIN_MS };
  return refusal === undefined ? {} : { againInMs: LOOK_AGAIN_MS };
}

function platformSteps(
  world: World,
  platform: Platform,
  context: PlatformContext,
  observed: PlatformObservation,
  marks: EnsembleMark,
  now: Date,
): Step<PlatformStepName>[] {
  const { spec } = platform;
  let credentials: Record<string, string> = {};
  const service = async (objects: KubeObject[], seen: Observed, what: string): Promise<StepResult> => {
    await ensureAll(world, objects);
    return seen.ready > 0 ? DONE : waitFor(`One ${what} must be ready; none is.`);
  };
  return [
    {
      name: 'credentials',
      title: 'Make credentials',
      needs: [],
      run: async () => {
        credentials = await ensureCredentials(world, context.owner, platform);
        return DONE;
      },
    },
    {
      name: 'zookeeper',
      title: 'Start ZooKeeper',
      needs: [],
      run: async () => {
        await ensureAll(world, platformEnsembleResources(context, spec));
        return ensembleGate(marks, observed.zookeeper.ready, spec.zookeeper.replicas, now);
      },
    },
    {
      name: 'discovery',
      title: 'Start discovery',
      needs: ['credentials', 'zookeeper'],
      run: () =>
        service(discoveryResources(context, spec, credentials), observed.discovery, 'discovery server'),
    },
    {
      name: 'mta-proxy',
      title: 'Start the MTA proxy',
      needs: ['credentials', 'discovery'],
      run: () => service(mtaProxyResources(context, spec, credentials), observed.mtaProxy, 'MTA proxy'),
    },
    {
      name: 'user-index',
      title: 'Start the user index',
      needs: ['credentials', 'discovery'],
      run: () => service(userIndexResources(context, spec, credentials), observed.userIndex, 'user index'),
    },
    ...countsSteps(world, platform, context, observed, service, () => credentials),
    {
      name: 'web',
      title: 'Start web',
      needs: ['credentials', 'discovery'],
      run: () => service(webResources(context, spec, credentials), observed.web, 'web server'),
    },
    {
      name: 'console',
      title: 'Start the console',
      needs: ['credentials', 'discovery'],
      run: async () => {
        if (spec.console) await ensureAll(world, consoleResources(context, spec, spec.console, credentials));
        else await stopRole(world, context.owner, 'console');
        // Nothing waits for it: it only looks.
        return DONE;
      },
    },
    // Deployments roll by themselves.
    {
      name: 'roll',
      title: 'Roll ZooKeeper',
      needs: ['zookeeper'],
      run: () => rollEnsemble(world, platform, context, now),
    },
  ];
}

/** Counts are for those who want them: without `spec.counts` app servers are asked, and nothing runs for them. */
function countsSteps(
  world: World,
  { spec }: Platform,
  context: PlatformContext,
  observed: PlatformObservation,
  start: (objects: KubeObject[], seen: Observed, what: string) => Promise<StepResult>,
  credentials: () => Record<string, string>,
): Step<PlatformStepName>[] {
  const { counts } = spec;
  const stop = async (role: 'memcached' | 'memcache-dirty'): Promise<StepResult> => {
    await stopRole(world, context.owner, role);
    return DONE;
  };
  return [
    {
      name: 'memcached',
      title: 'Start memcached',
      needs: [],
      run: () =>
        counts && observed.memcached
          ? start(memcachedResources(context, counts.memcached), observed.memcached, 'memcached server')
          : stop('memcached'),
    },
    {
      name: 'memcache-dirty',
      title: 'Start the memcache dirty service',
      needs: ['credentials', 'discovery'],
      run: () =>
        counts && observed.counts
          ? start(countsResources(context, counts, credentials()), observed.counts, 'memcache dirty service')
          : stop('memcache-dirty'),
    },
  ];
}

function observe(world: World, { owner }: PlatformContext, { spec }: Platform): PlatformObservation {
  const { caches } = world;
  return {
    zookeeper: observeStatefulSet(caches, owner, 'zookeeper', spec.zookeeper.replicas),
    discovery: observeDeployment(caches, owner, 'discovery', spec.discovery.replicas),
    mtaProxy: observeDeployment(caches, owner, 'mta-proxy', spec.mtaProxy.replicas),
    userIndex: observeDeployment(caches, owner, 'user-index', spec.userIndex.replicas),
    memcached: hasMemcached(spec)
      ? observeStatefulSet(caches, owner, 'memcached', spec.counts?.memcached.replicas ?? 0)
      : undefined,
    counts: spec.counts && observeDeployment(caches, owner, 'memcache-dirty', spec.counts.replicas),
    console: spec.console && observeDeployment(caches, owner, 'console', 1),
    web: observeDeployment(caches, owner, 'web', spec.web.replicas),
    podTroubles: podTroubles(ofRole(caches.pods, owner)),
  };
}

/** With its map all its cells would be lost, so a platform stays until they are gone. */
async function takeDown(world: World, platform: Platform): Promise<ReconcileResult> {
  const cells = world.caches.cells
    .list()
    .filter((cell) => keyOf({ metadata: platformOf(cell) }) === keyOf(platform))
    .map(({ metadata }) => metadata.name)
    .toSorted();
  if (cells.length > 0)
    return await bringUp(world, platform, `Its cells must go first: ${cells.join(', ')}.`);
  const owner = ownerOf(platform, world.settings.domain);
  const waitsFor = await tearDown(world, owner, [
    'console',
    'web',
    'memcache-dirty',
    'memcached',
    'user-index',
    'mta-proxy',
    'discovery',
    'zookeeper',
  ]);
  if (waitsFor === undefined) {
    await removeFinalizer(world, platform, PLATFORM_FINALIZER);
    return {};
  }
  await writeStatus(world, world.caches.platforms, platform, {
    ...platform.status,
    observedGeneration: platform.metadata.generation ?? 0,
    phase: `Being deleted: ${waitsFor}`,
    nextAction: 'Delete the platform',
    blockedBy: waitsFor,
  });
  return { againInMs: LOOK_AGAIN_MS };
}
