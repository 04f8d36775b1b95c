// The steps that start a cell's storage, one a role, and when each is far enough for the next.
import { ofRole } from '../observe.ts';
import { podName, roleName, type StorageRole } from '../resources/owner.ts';
import { DONE, waitFor, type Step, type StepResult } from '../runtime/steps.ts';
import type { StorageRecord } from '../types.ts';
import { ensureAll } from '../world.ts';
import { hdfsOf, storageResources, storageRoles } from './resources/storage.ts';
import type { CellWork } from './steps.ts';

export function storageSteps(work: CellWork): Step<'zookeeper' | StorageRole>[] {
  const roles = storageRoles(work.cell.spec);
  return roles.map(({ role, called, wanted }, index) => ({
    name: role,
    title: `Start ${called}`,
    needs: [roles[index - 1]?.role ?? 'zookeeper'],
    run: () => startRole(work, role, called, wanted),
  }));
}

/** The last of them is up: HBase answers. */
export const lastStorageRole = (work: CellWork): StorageRole =>
  storageRoles(work.cell.spec).at(-1)?.role ?? 'hbase';

async function startRole(
  work: CellWork,
  role: StorageRole,
  called: string,
  wanted: number,
): Promise<StepResult> {
  const { world, context, cell, observed, marks, now } = work;
  /** Only what is written counts: an operator that starts anew knows nothing else. */
  const record = recordOf(work);
  if (role === 'name-node' && !record.clusterId) {
    marks.clusterId = `CID-${context.owner.uid}`;
    return waitFor('The id of the new HDFS must be written to the status before it may be formatted.');
  }
  await ensureAll(world, storageResources(context, cell.spec, role, record));
  const ready = observed.storage[role]?.ready ?? 0;
  const needed = neededOf(role, wanted, {
    formatted: record.formattedAt !== undefined,
    schema: marks.schema !== undefined,
    replication: cell.spec.hbase.storage === 'HDFS' ? hdfsOf(cell.spec).replication : 1,
  });
  if (ready < needed) {
    const missing = unready(work, role, wanted);
    if (missing.length === 0)
      return waitFor(`The StatefulSet of the ${called} must count all that are ready.`);
    return waitFor(
      role === 'hbase'
        ? `Pod ${missing.join(', ')} must have its master, region server and REST server ready.`
        : `${needed} of ${wanted} ${called} must be ready; ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not.`,
    );
  }
  if (role === 'name-node' && !record.formattedAt) {
    marks.formattedAt = now.toISOString().replace(/\.\d+Z$/, 'Z');
    return waitFor('It must be written to the status that HDFS is formatted before it gets data.');
  }
  return DONE;
}

/** A server that the spec asks for again does not leave. */
export function recordOf({ cell, asked, context }: CellWork): StorageRecord {
  const kept = (pod: string): boolean => {
    const ordinal = Number(pod.slice(pod.lastIndexOf('-') + 1));
    return (
      pod.startsWith(`${roleName(context.owner, 'data-node')}-`) &&
      ordinal < (asked.hbase.hdfs?.dataNodes.replicas ?? 0)
    );
  };
  const { hdfs, leaving = [], resting } = cell.status ?? {};
  return { ...hdfs, leaving: leaving.filter((pod) => !kept(pod)), ...(resting && { resting }) };
}

/**
 * How many of a role must be ready before the next may start. All at first; later, what serves is enough: users of a
 * cell whose table is made need no master and no REST server.
 */
export function neededOf(
  role: StorageRole,
  wanted: number,
  so: { formatted: boolean; schema: boolean; replication: number },
): number {
  switch (role) {
    case 'journal-node':
      return so.formatted ? Math.floor(wanted / 2) + 1 : wanted;
    case 'name-node':
      return so.formatted ? 1 : wanted;
    case 'data-node':
      return so.schema ? 1 : Math.min(so.replication, wanted);
    case 'hbase-master':
      // The active one is not done with its start before there is a region server.
      return 0;
    case 'hbase-rest':
      return so.schema ? 0 : 1;
    case 'region-server':
    case 'hbase':
      return 1;
  }
}

/** The pods of a role that are not ready or not there. */
function unready({ world, context }: CellWork, role: StorageRole, wanted: number): string[] {
  const pods = ofRole(world.caches.pods, context.owner, role);
  const ready = new Set(
    pods
      .filter(({ status }) =>
        status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'),
      )
      .map(({ metadata }) => metadata.name),
  );
  return Array.from({ length: wanted }, (_, n) => podName(context.owner, role, n)).filter(
    (name) => !ready.has(name),
  );
}
