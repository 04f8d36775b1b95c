// What a cell's status says: pure functions of what was seen and done.
import { selectorOf, type Owner } from '../resources/owner.ts';
import { versionOf } from '../resources/service-pod.ts';
import type { StepReport } from '../runtime/steps.ts';
import {
  countsOf,
  degradedCondition,
  mergeConditions,
  openWork,
  phaseOf,
  progressingCondition,
  troublesOf,
  type ConditionNow,
  type RoleProgress,
} from '../status.ts';
import type { Cell, CellStatus, ImageRecord } from '../types.ts';
import type { CellContext } from './context.ts';
import { IMAGE_KINDS, type ImageKind, type ImageRecords } from './images.ts';
import type { Observed } from '../observe.ts';
import { hibernates, wantedPods, type CellObservation } from './observation.ts';
import type { CellStepName, Marks } from './steps.ts';

export type Deletion = { reason: string; message: string };

export type StatusInput = {
  cell: Cell;
  owner: Owner;
  observed: CellObservation;
  reports: StepReport<CellStepName>[];
  marks: Marks;
  /** What pods should run; undefined while the platform is not known. */
  images: Pick<CellContext['images'], ImageKind | 'defaultHbase'> | undefined;
  /** Why a deletion does not go on. */
  deletion?: Deletion;
  now: Date;
};

export function cellStatus(input: StatusInput): CellStatus {
  const { cell, owner, observed, marks, now } = input;
  const generation = cell.metadata.generation ?? 0;
  const ready = readyCondition(input);
  const open = input.deletion
    ? { nextAction: 'Delete the cell', blockedBy: input.deletion.message }
    : openWork(input.reports, rolesOf(input));
  const degraded =
    rolledBackCondition(input) ?? degradedCondition(troublesOf(input.reports, observed.podTroubles));
  const conditions: ConditionNow[] = [
    ready,
    input.deletion
      ? {
          type: 'Progressing',
          status: 'False',
          reason: input.deletion.reason,
          message: input.deletion.message,
        }
      : progressingCondition(open),
    degraded,
    ...pausedCondition(marks),
    ...(input.deletion ? [{ type: 'Deleting', status: 'False' as const, ...input.deletion }] : []),
  ];
  const version = runningVersion(input);
  const { cellpost, hbase } = recordsNow(input);
  const defaultHbase = defaultHbaseImage(input);
  const selector = Object.entries(selectorOf(owner, 'app-server'))
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
  return {
    observedGeneration: generation,
    phase: phaseOf(ready, degraded, open, input.deletion?.message),
    nextAction: open.nextAction,
    blockedBy: open.blockedBy,
    ...(version !== undefined && { version }),
    zookeeper: {
      ...countsOf(observed.zookeeper),
      ...(marks.formedAt && { formedAt: marks.formedAt }),
      ...(marks.members !== undefined && { members: marks.members }),
    },
    hbase: { ...countsOf(observed.hbase), ...(marks.schema && { schema: marks.schema }) },
    ...(observed.hdfs && {
      hdfs: {
        ...countsOf(observed.hdfs),
        ...(marks.clusterId && { clusterId: marks.clusterId }),
        ...(marks.formattedAt && { formattedAt: marks.formattedAt }),
      },
    }),
    appServers: { ...countsOf(observed.appServers), selector },
    ...(marks.discovery && { discovery: marks.discovery }),
    ...(marks.roll && { roll: marks.roll }),
    ...(marks.leaving && { leaving: marks.leaving }),
    ...(marks.resting && { resting: marks.resting }),
    ...(cellpost.good !== undefined && { goodImage: cellpost.good }),
    ...(cellpost.rolledBack && { rolledBack: cellpost.rolledBack }),
    ...((hbase.good ?? hbase.rolledBack ?? defaultHbase) !== undefined && {
      hbaseImage: { ...(defaultHbase !== undefined && { default: defaultHbase }), ...hbase },
    }),
    conditions: mergeConditions(cell.status?.conditions, conditions, generation, now),
  };
}

/** A cell that hibernates has no roles to complete: its steps are done when all pods are gone. */
function rolesOf({ cell, observed }: StatusInput): RoleProgress[] {
  if (hibernates(cell)) return [];
  const wanted = wantedPods(cell);
  return [
    { title: 'Complete ZooKeeper', seen: observed.zookeeper, wanted: wanted.zookeeper },
    ...wanted.storage.flatMap(({ role, called, wanted: count }) => {
      const seen = observed.storage[role];
      return seen ? [{ title: `Complete ${called}`, seen, wanted: count }] : [];
    }),
    { title: 'Complete the app servers', seen: observed.appServers, wanted: wanted.appServers },
  ];
}

/** Steps that are open while users are served. */
const BESIDE_SERVING: ReadonlySet<CellStepName> = new Set(['discovery', 'hardware', 'roll']);

/** The first image of a cell has none before it to be measured by. */
function recordsNow(input: StatusInput): ImageRecords {
  const { marks, images, observed } = input;
  const { hbase, cellpost } = marks.images;
  const storage = [observed.zookeeper, ...Object.values(observed.storage)];
  const storageRuns = storage.every((role) => allRun(role, images?.hbase, role.replicas));
  const first = (image: string | undefined, runs: boolean): ImageRecord =>
    runs && image !== undefined ? { good: image } : {};
  return {
    hbase: { ...first(images?.hbase, storageRuns), ...hbase },
    cellpost: { ...first(images?.cellpost, allServe(input)), ...cellpost },
  };
}

/** From the day on which the cell can serve it is the cell's own; until then a bad one is mended at the platform. */
function defaultHbaseImage({ cell, marks, images }: StatusInput): string | undefined {
  return cell.status?.hbaseImage?.default ?? (marks.schema === undefined ? undefined : images?.defaultHbase);
}

/** An image that was rolled back is told until the spec names another. */
function rolledBackCondition({ marks }: StatusInput): ConditionNow | undefined {
  const sentences = IMAGE_KINDS.flatMap((kind) => {
    const { image = '', message = '' } = marks.images[kind].rolledBack ?? {};
    const called = kind === 'cellpost' ? `Version ${versionOf(image)}` : `Image ${image}`;
    return image === '' ? [] : [`${called} was rolled back: ${message}`];
  });
  if (sentences.length === 0) return undefined;
  return { type: 'Degraded', status: 'True', reason: 'RolledBack', message: sentences.join(' ') };
}

/** There while a roll waits for something that waiting alone may not mend. */
function pausedCondition({ shut }: Marks): ConditionNow[] {
  if (!shut?.paused) return [];
  return [{ type: 'Paused', status: 'True', reason: shut.reason, message: shut.message }];
}

/** Ready: users of this cell are served. */
function readyCondition({ reports, marks, observed, cell }: StatusInput): ConditionNow {
  const closed = reports.find(({ name, outcome }) => !BESIDE_SERVING.has(name) && outcome !== 'done');
  const no = (reason: string, message: string): ConditionNow => ({
    type: 'Ready',
    status: 'False',
    reason,
    message,
  });
  if (hibernates(cell))
    return no('Hibernated', 'The cell hibernates: it runs no pods and keeps its volumes.');
  if (cell.spec.appServers.replicas === 0)
    return no('NoAppServers', 'The cell is asked to run no app servers.');
  if (closed) return no('NotServing', closed.message);
  if (reports.length === 0) return no('NotServing', 'Nothing has been started yet.');
  if (!marks.discovery) return no('NotPublished', 'Discovery does not know the cell yet.');
  if (cell.spec.state === 'Disabled')
    return no('Disabled', 'The cell is disabled: its users are told to come back.');
  return {
    type: 'Ready',
    status: 'True',
    reason: 'Serving',
    message: `${observed.appServers.ready} app servers serve.`,
  };
}

/** The version is told when all app servers run it; until then the one before stands. */
function runningVersion(input: StatusInput): string | undefined {
  const { cell, images } = input;
  return allServe(input) && images ? versionOf(images.cellpost) : cell.status?.version;
}

/** What was seen is from before this reconcile's changes, so what the pods run is told by what was seen as well. */
function allServe({ cell, observed, images }: StatusInput): boolean {
  return allRun(observed.appServers, images?.cellpost, cell.spec.appServers.replicas);
}

const allRun = (role: Observed, image: string | undefined, replicas: number): boolean =>
  role.image === image && role.upToDate && role.ready > 0 && role.ready === replicas;
