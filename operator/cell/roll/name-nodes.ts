// The active NameNode hands over before its pod goes: clients find the other one at once.
import { setTimeout as sleep } from 'node:timers/promises';
import { podHost, podName } from '../../resources/owner.ts';
import type { CellWork } from '../steps.ts';
import type { StorageFacts } from './storage-gates.ts';

/** The controllers have agreed when the call returns; the new one says so a moment later. */
const ACTIVE_WAIT_MS = 8_000;
const POLL_MS = 200;

/** @returns what must happen before the pod may go, undefined when nothing must */
export async function cedeNameNode(
  { world, context }: CellWork,
  ordinal: number,
  { nameNodes }: StorageFacts,
): Promise<string | undefined> {
  const nameOf = (one: number): string => podName(context.owner, 'name-node', one);
  if (!nameNodes.get(nameOf(ordinal))?.active) return undefined;
  // There are two, or one that has nobody to cede to.
  const other = 1 - ordinal;
  if (!nameNodes.has(nameOf(other))) return undefined;
  const { storage } = world.outside;
  const host = podHost(context.owner, 'name-node', other);
  await storage.failOver(host);
  const deadline = performance.now() + ACTIVE_WAIT_MS;
  while (performance.now() < deadline) {
    if ((await storage.nameNode(host))?.active) return undefined;
    await sleep(POLL_MS);
  }
  return `NameNode ${nameOf(other)} must have become the active one.`;
}
