// What a rollout sees of a cell, or of the platform's own pods: pure functions of the objects.
import { z } from 'zod';
import { platformOf } from '../cell/context.ts';
import { versionOf } from '../resources/service-pod.ts';
import { keyOf, type KubeObject } from '../runtime/resources.ts';
import type { Cell, CellStatus, CommonStatus, Condition, Platform } from '../types.ts';
import { asksFor, givenBy } from './given.ts';
import type { Given, Rollout } from './types.ts';

/** On what a rollout has changed: which one, and what to go back to. It is written together with the version. */
export const MARK_ANNOTATION = 'cellpost.dev/rollout';

const markSchema = z.object({
  /** The Rollout's uid. */
  rollout: z.string(),
  /** The version before; null when the spec named none. */
  previous: z.string().nullable(),
  /** Likewise the image of HBase; absent when the rollout gives none. */
  previousHbase: z.string().nullable().optional(),
  /** When the version, or the one before, was written. */
  at: z.iso.datetime(),
  /** It has been taken back. */
  back: z.boolean(),
});
export type Mark = z.infer<typeof markSchema>;

type Trouble = {
  message: string;
  since: string;
  /** The cell itself has given up what the rollout gives, and runs what it had before. */
  final: boolean;
};

export type Member = {
  kind: 'cell' | 'platform';
  /** As in "cell a". */
  title: string;
  name: string;
  labels: Record<string, string>;
  dataCenter: string;
  /** What its spec asks for. */
  asks: Given;
  /** Of this rollout. */
  mark: Mark | undefined;
  /** It runs what its spec says, all of it. */
  settled: boolean;
  /** Its users are served, or it is meant to serve nobody. */
  serves: boolean;
  trouble: Trouble | undefined;
  /** What is wrong with the answers of its app servers, as a part of a sentence; undefined also when nobody asked. */
  badAnswers?: string | undefined;
  object: KubeObject;
};

export type MemberState = 'pending' | 'rolling' | 'reached' | 'changed' | 'goingBack' | 'back';

/** Where a member is on its way to what is given. */
export function stateOf(member: Member, given: Given): MemberState {
  const { mark, settled } = member;
  if (mark?.back) return settled ? 'back' : 'goingBack';
  if (asksFor(member.asks, given)) return settled ? 'reached' : 'rolling';
  return mark ? 'changed' : 'pending';
}

export function cellMember(cell: Cell, rollout: Rollout): Member {
  const { spec, status } = cell;
  // It gets the version, and runs it when it is started.
  const idle = spec.state === 'Hibernated' || spec.appServers.replicas === 0;
  const ready = isTrue(status, 'Ready');
  const seen = status?.observedGeneration === cell.metadata.generation;
  // A version that its own cell still watches has not been reached.
  const proven = status?.goodImage === undefined || versionOf(status.goodImage) === spec.version;
  const runs = spec.version === undefined || (status?.version === spec.version && proven);
  const hbase = spec.images?.hbase ?? status?.hbaseImage?.default;
  const storageRuns = hbase === undefined || status?.hbaseImage?.good === hbase;
  const done = spec.state === 'Disabled' ? conditionOf(status, 'Progressing')?.status === 'False' : ready;
  return {
    kind: 'cell',
    title: `cell ${cell.metadata.name}`,
    name: cell.metadata.name,
    labels: cell.metadata.labels ?? {},
    dataCenter: spec.dataCenter,
    asks: { version: spec.version, hbase: spec.images?.hbase },
    mark: markOf(cell, rollout),
    settled: idle || (seen && runs && storageRuns && done),
    serves: idle || spec.state === 'Disabled' || ready,
    // A status of an older spec speaks of another version.
    trouble: idle || !seen ? undefined : cellTroubleOf(status, givenBy(rollout.spec)),
    object: cell,
  };
}

export function platformMember(platform: Platform, rollout: Rollout): Member {
  const { spec, status } = platform;
  const seen = status?.observedGeneration === platform.metadata.generation;
  const runs = spec.version === undefined || status?.version === spec.version;
  const ready = isTrue(status, 'Ready');
  // Its own ZooKeeper is rolled while it is ready.
  const complete =
    rollout.spec.images === undefined || conditionOf(status, 'Progressing')?.status === 'False';
  return {
    kind: 'platform',
    title: 'the platform',
    name: platform.metadata.name,
    labels: {},
    dataCenter: '',
    // What it runs stays in its status when the spec names it no longer: it is named, to go back to it.
    asks: { version: spec.version, hbase: spec.images.hbase ?? status?.images?.hbase },
    mark: markOf(platform, rollout),
    settled: seen && runs && ready && complete,
    serves: ready,
    trouble: seen ? troubleOf(status) : undefined,
    object: platform,
  };
}

/** Is the cell of the platform that the rollout is for? That stands in the rollout's namespace. */
export function isOfRollout(cell: Cell, rollout: Rollout): boolean {
  return keyOf({ metadata: platformOf(cell) }) === platformKeyOf(rollout);
}

export const platformKeyOf = ({ metadata, spec }: Rollout): string =>
  `${metadata.namespace ?? ''}/${spec.platform.name}`;

function markOf(object: KubeObject, rollout: Rollout): Mark | undefined {
  const text = object.metadata.annotations?.[MARK_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const mark = markSchema.safeParse(JSON.parse(text));
    return mark.success && mark.data.rollout === rollout.metadata.uid ? mark.data : undefined;
  } catch {
    // Somebody wrote there by hand: not a mark of ours.
    return undefined;
  }
}

function troubleOf(status: CommonStatus | undefined): Trouble | undefined {
  const degraded = conditionOf(status, 'Degraded');
  if (degraded?.status !== 'True') return undefined;
  const { message, reason, lastTransitionTime } = degraded;
  return { message, since: lastTransitionTime, final: reason === 'RolledBack' };
}

/** One that gave something else up, of an earlier rollout or by hand, runs well without it. */
function cellTroubleOf(status: CellStatus | undefined, given: Given): Trouble | undefined {
  const trouble = troubleOf(status);
  if (!trouble?.final) return trouble;
  const { rolledBack, hbaseImage } = status ?? {};
  const isGiven =
    (rolledBack && versionOf(rolledBack.image) === given.version) ||
    (hbaseImage?.rolledBack && hbaseImage.rolledBack.image === given.hbase);
  return isGiven ? trouble : undefined;
}

const conditionOf = (status: CommonStatus | undefined, type: string): Condition | undefined =>
  status?.conditions?.find((one) => one.type === type);

const isTrue = (status: CommonStatus | undefined, type: string): boolean =>
  conditionOf(status, type)?.status === 'True';
