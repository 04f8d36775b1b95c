// What the operator would do to a cell: the objects that it would build for a spec, compared with those that are there.
import { cellContext } from '../../operator/cell/context.ts';
import { askedPods, seenSizes, SHRINKING, specNow } from '../../operator/cell/hardware/sizes.ts';
import { SHRINK_ORDER } from '../../operator/cell/hardware/shrink-plan.ts';
import { appServerResources } from '../../operator/cell/resources/app-servers.ts';
import { cellEnsembleResources } from '../../operator/cell/resources/ensemble.ts';
import { storageResources, storageRoles } from '../../operator/cell/resources/storage.ts';
import type { RollFacts } from '../../operator/cell/roll/facts.ts';
import { rollGroups } from '../../operator/cell/roll/members.ts';
import { missingPod, rollPlan, secondsOf } from '../../operator/cell/roll/plan.ts';
import { ROLL_ROLES } from '../../operator/cell/roll/roles.ts';
import type { StatefulSet } from '../../operator/resources/manifests.ts';
import { ownerOf, roleName } from '../../operator/resources/owner.ts';
import { covers } from '../../operator/runtime/covers.ts';
import type { CellSpec, Platform } from '../../operator/types.ts';
import type { StatefulSetObject } from '../../operator/world.ts';
import type { LiveCell } from './live.ts';

export type Preview = {
  cell: string;
  /** Pods that are made anew, in order. */
  members: { pod: string; role: string; why: string; leads: boolean; ready: boolean; seconds: number }[];
  /** Roles that get more pods; all at once. */
  more: { role: string; from: number; to: number }[];
  /** Pods that go for good, in order. */
  fewer: { pod: string; role: string }[];
  /** Roles whose StatefulSets would be made. */
  made: string[];
  /** What is shut now; a roll waits for it. */
  gates: string[];
  /** About how long the rolls take. */
  seconds: number;
};

const DOMAIN = 'cluster.local';

/**
 * @param spec what the cell would be asked to be, with the API server's defaults
 * @param facts what its servers say, as far as they could be asked
 */
export function preview(live: LiveCell, spec: CellSpec, facts: RollFacts, now: Date): Preview {
  const { cell, sets, pods, caches, platform } = live;
  const owner = ownerOf(cell, domainOf(platform));
  const sizes = seenSizes(caches, owner, cell.status);
  const wanted = platform ? wantedSets(live, platform, specNow(spec, sizes)) : [];
  const changed = new Set(
    wanted.flatMap((set) => {
      const old = sets.find(({ metadata }) => metadata.name === set.metadata.name);
      return old && !sameTemplate(old, set) ? [set.metadata.name] : [];
    }),
  );
  const groups = rollGroups(owner, sets, pods, now, facts);
  const after = groups.map((group) => {
    const isChanged = changed.has(roleName(owner, group.role.role));
    return {
      ...group,
      members: group.members.map((one) => ({ ...one, outdated: one.outdated || isChanged })),
    };
  });
  const plan = rollPlan(after, []);
  const isOld = new Set(
    groups.flatMap(({ members }) => members.filter((one) => one.outdated)).map(({ name }) => name),
  );
  const fewer = SHRINK_ORDER.flatMap((role) => {
    const asked = askedPods(spec, role) ?? Infinity;
    const there =
      role === 'zookeeper' ? Math.max(sizes.pods.zookeeper, sizes.members ?? 0) : sizes.pods[role];
    return Array.from({ length: Math.max(0, there - asked) }, (_, n) => ({
      pod: `${roleName(owner, role)}-${there - 1 - n}`,
      role,
    }));
  });
  const more = SHRINKING.flatMap((role) => {
    const asked = askedPods(spec, role) ?? 0;
    const there = sizes.pods[role];
    return there > 0 && asked > there ? [{ role, from: there, to: asked }] : [];
  });
  const shut = [
    ...(spec.rollout.paused ? ['spec.rollout.paused must be false.'] : []),
    ...[missingPod(groups)].flatMap((one) => one?.message ?? []),
    ...ROLL_ROLES.flatMap(({ gates }) => gates.flatMap((gate) => gate(facts)?.message ?? [])),
  ];
  return {
    cell: cell.metadata.name,
    members: plan.order.map(({ group, member }) => ({
      pod: member.name,
      role: group.role.role,
      why: isOld.has(member.name) ? 'it is outdated now' : 'the spec changes it',
      leads: member.leads,
      ready: member.ready,
      seconds: group.role.seconds,
    })),
    more,
    fewer,
    made: wanted
      .map(({ metadata }) => metadata.name)
      .filter((name) => !sets.some(({ metadata }) => metadata.name === name)),
    gates: shut,
    seconds: secondsOf(plan),
  };
}

/** As the operator that made the cell names its hosts. */
function domainOf(platform: Platform | undefined): string {
  const host = platform?.status?.discoveryUrl && new URL(platform.status.discoveryUrl).hostname;
  return (host && host.split('.svc.', 2)[1]) || DOMAIN;
}

function wantedSets({ cell, sets }: LiveCell, platform: Platform, spec: CellSpec): StatefulSet[] {
  const images = { cellpost: '', hbase: '', memcached: '', ...platform.status?.images };
  const context = cellContext({ ...cell, spec }, platform, {
    images,
    domain: domainOf(platform),
    // Only policies of the network know the operator.
    namespace: '',
    labels: {},
  });
  const record = { ...cell.status?.hdfs, leaving: cell.status?.leaving ?? [] };
  // A change of a cell's spec changes no credentials, and who plans need not read them.
  const appServers = appServerResources(context, spec, {})
    .filter(isSet)
    .map((set) => withAnnotationsOf(sets, set));
  const objects = [
    ...cellEnsembleResources(context, spec),
    ...storageRoles(spec).flatMap(({ role }) => storageResources(context, spec, role, record)),
  ];
  return [...objects.filter(isSet), ...appServers];
}

const isSet = (object: { kind: string }): object is StatefulSet => object.kind === 'StatefulSet';

type Annotated = { metadata?: { annotations?: Record<string, string> } };

function withAnnotationsOf(sets: StatefulSetObject[], set: StatefulSet): StatefulSet {
  const live = sets.find(({ metadata }) => metadata.name === set.metadata.name);
  const template = live?.spec.template as Annotated | undefined;
  const annotations = template?.metadata?.annotations ?? {};
  const metadata = { ...set.spec.template.metadata, annotations };
  return { ...set, spec: { ...set.spec, template: { ...set.spec.template, metadata } } };
}

const sameTemplate = (live: StatefulSetObject, { spec }: StatefulSet): boolean =>
  covers(live.spec.template, spec.template);
