// An app server hands over its users before its pod goes, and every process of discovery has seen it.
import { setTimeout as sleep } from 'node:timers/promises';
import { ofRole } from '../../observe.ts';
import { PlaceError } from '../../outside/app-server-place.ts';
import { podName } from '../../resources/owner.ts';
import { APP_SERVER_PORT } from '../resources/app-servers.ts';
import type { CellWork } from '../steps.ts';
import { httpUrl } from '../../../workloads/common/http/url.ts';
import { askDiscovery } from './sight.ts';

/** Discovery hears of the ring by watches, within milliseconds; one that has not by now is asked another time. */
const SEEN_WAIT_MS = 5_000;
const POLL_MS = 100;

/**
 * Nothing of it outlives a reconcile: a server whose users were handed over and whose pod may not go after all takes them
 * back at once; one whose operator died in between takes them back by itself.
 * @returns what must happen before the pod may go, undefined when nothing must
 */
export async function drainAppServer(work: CellWork, ordinal: number): Promise<string | undefined> {
  const { world, context, cell, credentials } = work;
  // Nobody is there to hand anything to.
  if (cell.spec.appServers.replicas === 1) return undefined;
  const name = podName(context.owner, 'app-server', ordinal);
  const pod = ofRole(world.caches.pods, context.owner, 'app-server').find(
    ({ metadata }) => metadata.name === name,
  );
  if (!pod?.status?.podIP) return `Pod ${name} must have an address.`;
  const url = httpUrl(pod.status.podIP, APP_SERVER_PORT);
  const token = credentials.platformToken ?? '';
  const { appServerPlace } = world.outside;
  try {
    if (!(await appServerPlace.drain(url, token))) return undefined;
  } catch (error) {
    // What a bad version can't do must not keep it.
    if (error instanceof PlaceError && work.marks.images.cellpost.rolledBack) return undefined;
    throw error;
  }
  const deadline = performance.now() + SEEN_WAIT_MS;
  for (;;) {
    const sights = await askDiscovery(work);
    if (sights.every((serving) => serving !== undefined && !serving.includes(name))) return undefined;
    if (performance.now() > deadline) break;
    await sleep(POLL_MS);
  }
  await appServerPlace.rejoin(url, token);
  return `Every process of discovery must have seen that ${name} serves nobody.`;
}
