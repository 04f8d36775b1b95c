// May a DataNode go for good? A pure function of what the active NameNode says of the DataNodes.
import type { DataNodeFacts } from '../../outside/storage.ts';

/** `must`: what must happen first; `refused`: it can't, as things are. */
export type Leave = { may: true } | { may: false; must: string; refused?: boolean };

/** Room that stays free on the others when they have taken over the blocks: HDFS writes to no disk that is full. */
const SPARE = 0.1;

/**
 * @param name the pod that goes
 * @param all by pod; one that the NameNode counts as dead, or never saw, is absent
 * @param leaving pods that go for good, this one among them
 * @param short blocks that have fewer copies than they should have
 */
export function dataNodeMayLeave(
  name: string,
  all: ReadonlyMap<string, DataNodeFacts>,
  leaving: ReadonlySet<string>,
  short: number,
): Leave {
  const one = all.get(name);
  if (!one) {
    // Whatever it had is on the others, or would be counted.
    if (short === 0) return { may: true };
    return { may: false, must: `${short} blocks that ${name} may have had must be copied from others.` };
  }
  if (one.state === 'Decommissioned') return { may: true };
  const staying = [...all].filter(([other]) => !leaving.has(other)).map(([, facts]) => facts);
  const going = [...all].filter(([other]) => leaving.has(other)).map(([, facts]) => facts);
  const toMove = going
    .filter(({ state }) => state !== 'Decommissioned')
    .reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  const room = staying.reduce((sum, { freeBytes }) => sum + freeBytes, 0) * (1 - SPARE);
  if (toMove > room)
    return {
      may: false,
      refused: true,
      must: `The DataNodes that stay have room for ${inGib(room)} GiB, and ${inGib(toMove)} GiB must move to them.`,
    };
  return {
    may: false,
    must:
      one.state === 'In Service'
        ? `The NameNode must have heard that ${name} goes.`
        : `All blocks of ${name} must have copies on the DataNodes that stay.`,
  };
}

const inGib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
