// Brings one cell from what is to what its spec says.
import { addFinalizer, removeFinalizer } from '../finalizer.ts';
import { valuesOf } from '../platform/credentials.ts';
import { ownerOf } from '../resources/owner.ts';
import { credentialsName } from '../resources/service-pod.ts';
import type { ReconcileResult } from '../runtime/controller.ts';
import { splitKey } from '../runtime/resources.ts';
import { runSteps, throwFailures, type StepReport } from '../runtime/steps.ts';
import { writeStatus } from '../status.ts';
import type { Cell, Platform } from '../types.ts';
import { messageOf, type World } from '../world.ts';
import { cellContext, platformOf, type CellContext } from './context.ts';
import { CELL_FINALIZER, deleteCell, deletionRefused, type MapAccess } from './delete.ts';
import { hibernationSteps } from './hibernate.ts';
import { seenSizes, specNow } from './hardware/sizes.ts';
import { IMAGE_KINDS } from './images.ts';
import { hibernates, observeCell } from './observation.ts';
import { cellStatus, type Deletion } from './status.ts';
import { cellSteps, marksOf, type CellStepName, type CellWork, type Marks } from './steps.ts';
import { tellOfChanges } from '../tell.ts';
import { isUnmanaged } from '../unmanaged.ts';

/** While something outside of Kubernetes is waited for, no watch tells when it has come. */
const LOOK_AGAIN_MS = 10_000;
/** Servers of a cell in a roll change from one second to the next. */
const ROLL_AGAIN_MS = 2_000;

export async function reconcileCell(world: World, key: string): Promise<ReconcileResult> {
  const { namespace, name } = splitKey(key);
  const cell = world.caches.cells.get(namespace, name);
  if (!cell || isUnmanaged(cell)) return {};
  if (!cell.metadata.deletionTimestamp) {
    await addFinalizer(world, world.caches.cells, cell, CELL_FINALIZER);
    return await bringUp(world, cell);
  }
  if (!cell.metadata.finalizers?.includes(CELL_FINALIZER)) return {};
  return await takeDown(world, cell);
}

/** The recipe, then the status; errors of steps are in the status, and make the key come again. */
async function bringUp(world: World, object: Cell, deletion?: Deletion): Promise<ReconcileResult> {
  const owner = ownerOf(object, world.settings.domain);
  const sizes = seenSizes(world.caches, owner, object.status);
  const cell: Cell = { ...object, spec: specNow(object.spec, sizes) };
  const now = new Date();
  const observed = observeCell(world.caches, owner, cell);
  const marks: Marks = marksOf(cell.status);
  const platform = platformReady(world, cell);
  let reports: StepReport<CellStepName>[];
  let context: CellContext | undefined;
  if (typeof platform === 'string') {
    reports = [{ name: 'zookeeper', title: 'Find the platform', outcome: 'waiting', message: platform }];
  } else {
    context = cellContext(cell, platform.platform, world.settings);
    for (const kind of IMAGE_KINDS) {
      const record = marks.images[kind];
      if (record.rolledBack?.image !== context.images.asked[kind]) delete record.rolledBack;
    }
    // Pods that hibernate are in no roll; those that wake are new.
    if (hibernates(cell)) delete marks.roll;
    const asked = object.spec;
    const work: CellWork = { world, cell, asked, sizes, context, observed, marks, now, ...platform };
    const steps = hibernates(cell) ? hibernationSteps(work) : cellSteps(work);
    reports = await runSteps(steps, messageOf);
  }
  const status = cellStatus({
    cell,
    owner,
    // What the steps have just changed is not up to date yet.
    observed: observeCell(world.caches, owner, cell),
    reports,
    marks,
    images: context?.images,
    ...(deletion && { deletion }),
    now,
  });
  await writeStatus(world, world.caches.cells, cell, status);
  await tellOfChanges(world.events, cell, status);
  throwFailures(reports);
  const changes = reports.some(({ name, outcome }) => name === 'hardware' && outcome === 'waiting');
  if (marks.roll || changes) return { againInMs: ROLL_AGAIN_MS };
  const waits = deletion !== undefined || reports.some(({ outcome }) => outcome === 'waiting');
  return waits ? { againInMs: LOOK_AGAIN_MS } : {};
}

/** A cell that may not go yet is kept healthy. */
async function takeDown(world: World, cell: Cell): Promise<ReconcileResult> {
  const map = mapOf(world, cell);
  const refusal = await deletionRefused(cell, map);
  if (refusal) return await bringUp(world, cell, refusal);
  const owner = ownerOf(cell, world.settings.domain);
  const waitsFor = await deleteCell(world, cell, owner, map);
  if (waitsFor === undefined) {
    await removeFinalizer(world, cell, CELL_FINALIZER);
    return {};
  }
  const generation = cell.metadata.generation ?? 0;
  await writeStatus(world, world.caches.cells, cell, {
    ...cell.status,
    observedGeneration: generation,
    phase: `Being deleted: ${waitsFor}`,
    nextAction: 'Delete the cell',
    blockedBy: waitsFor,
  });
  return { againInMs: LOOK_AGAIN_MS };
}

type ReadyPlatform = { platform: Platform; credentials: Record<string, string> };

/** The cell's platform with its credentials, or why it can't be used yet. */
function platformReady(world: World, cell: Cell): ReadyPlatform | string {
  const at = platformOf(cell);
  const platform = world.caches.platforms.get(at.namespace, at.name);
  if (!platform) return `There must be a Platform ${at.name} in namespace ${at.namespace}.`;
  const secret = world.caches.secrets.get(at.namespace, credentialsName(at));
  if (!secret?.data) return `Platform ${at.name} must have made its credentials.`;
  const credentials = valuesOf(secret);
  return { platform, credentials };
}

function mapOf(world: World, cell: Cell): MapAccess {
  const at = platformOf(cell);
  if (!world.caches.platforms.get(at.namespace, at.name)) return 'gone';
  const ready = platformReady(world, cell);
  if (typeof ready === 'string' || !ready.platform.status?.discoveryUrl) return 'away';
  return world.outside.discovery(ready.platform.status.discoveryUrl, ready.credentials.platformToken ?? '');
}
