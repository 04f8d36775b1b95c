// A DataNode rests while its pod is made anew: HDFS writes nothing to it, and does not copy its blocks meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { podHost, podName } from '../../resources/owner.ts';
import { hashOf } from '../../runtime/apply.ts';
import { TYPES } from '../../runtime/resources.ts';
import type { Resting } from '../../types.ts';
import { dataNodeStates } from '../resources/hdfs.ts';
import { hdfsOf } from '../resources/storage.ts';
import { recordOf } from '../storage-steps.ts';
import type { CellWork } from '../steps.ts';
import type { StorageFacts } from './storage-gates.ts';

/** Many times what a DataNode needs to end and come back. Then HDFS copies its blocks, whatever became of the operator. */
const REST_MS = 600_000;
/** NameNodes look each 3 s what became of a DataNode's blocks; after this long another reconcile looks again. */
const HEARD_WAIT_MS = 8_000;
const POLL_MS = 500;
/** Changed on a NameNode's pod, it has the kubelet bring its files up to date at once, not within a minute. */
const FILES_ANNOTATION = 'cellpost.dev/data-nodes';

/** @returns what must happen before the pod may go, undefined when nothing must */
export async function restDataNode(
  work: CellWork,
  ordinal: number,
  facts: StorageFacts,
): Promise<string | undefined> {
  const { world, context, cell, marks, now } = work;
  // A single one has nobody to stand in for it.
  if (hdfsOf(cell.spec).dataNodes.replicas === 1) return undefined;
  const pod = podName(context.owner, 'data-node', ordinal);
  if (marks.resting?.pod !== pod || Date.parse(marks.resting.until) - now.getTime() < REST_MS / 2) {
    marks.resting = restOf(pod, now);
    return `It must be written to the status that ${pod} rests.`;
  }
  const state = await heard(work, facts, async (nameNode) => {
    const one = (await world.outside.storage.dataNodes(nameNode))?.get(pod);
    // One that the NameNode does not know as alive has nothing that is written to.
    return one === undefined || one.state === 'In Maintenance' || undefined;
  });
  if (!state) return `The NameNodes must have ${pod} in maintenance.`;
  const servers = [...facts.masters.values()].find(({ active }) => active)?.regionServers ?? [];
  await world.outside.storage.rollLogs(servers);
  return undefined;
}

/**
 * Puts the DataNode that rested back to service, unless it is the one whose turn it is.
 * @param next the pod that goes next; undefined: the roll is over
 * @returns what must happen before the roll may go on, undefined when nothing must
 */
export async function wakeDataNode(
  work: CellWork,
  facts: StorageFacts,
  next?: string,
): Promise<string | undefined> {
  const { marks, cell } = work;
  if (marks.resting && marks.resting.pod === next) return undefined;
  marks.resting = undefined;
  if (cell.status?.resting)
    return `It must be written to the status that ${cell.status.resting.pod} is back.`;
  if ([...facts.nameNodes.values()].every(({ resting }) => resting === 0)) return undefined;
  const { storage } = work.world.outside;
  const awake = await heard(
    work,
    facts,
    async (nameNode) => (await storage.nameNode(nameNode))?.resting === 0 || undefined,
  );
  return awake ? undefined : 'The NameNodes must have heard that no DataNode rests.';
}

/** Has all NameNodes read which DataNodes are not in service, until each of them says that it is so, or for some seconds. */
async function heard(
  work: CellWork,
  { nameNodes }: StorageFacts,
  isSo: (nameNode: string) => Promise<true | undefined>,
): Promise<boolean> {
  const { world, context } = work;
  await bringFiles(work, [...nameNodes.keys()]);
  const hosts = [...nameNodes.keys()].map((pod) =>
    podHost(context.owner, 'name-node', Number(pod.slice(pod.lastIndexOf('-') + 1))),
  );
  const deadline = performance.now() + HEARD_WAIT_MS;
  for (;;) {
    const answers = await Promise.all(
      hosts.map(async (host) => {
        if (await isSo(host)) return true;
        await world.outside.storage.refreshNodes(host);
        return false;
      }),
    );
    if (hosts.length > 0 && answers.every(Boolean)) return true;
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
}

/** Has the kubelets bring their files up to date on NameNodes' pods. */
export async function bringFiles(work: CellWork, pods: string[]): Promise<void> {
  const { world, context, cell } = work;
  const hash = hashOf(dataNodeStates(context.owner, hdfsOf(cell.spec), recordOf(work)));
  const { namespace } = context.owner;
  for (const name of pods) {
    const pod = world.caches.pods.get(namespace, name);
    if (pod && pod.metadata.annotations?.[FILES_ANNOTATION] !== hash)
      await world.api.patch(
        TYPES.pod,
        { namespace, name },
        {
          metadata: { annotations: { [FILES_ANNOTATION]: hash } },
        },
      );
  }
}

/** In whole seconds, as the API server keeps times. */
function restOf(pod: string, now: Date): Resting {
  const until = new Date(now.getTime() + REST_MS).toISOString().replace(/\.\d+Z$/, 'Z');
  return { pod, until };
}
