// In which order the members of a fleet get a version: the canary, the platform's services, the waves, the rest.
import type { Member } from './member.ts';
import type { RolloutSpec } from './types.ts';

export type Stage = { name: string; members: Member[] };

/**
 * Each member is in exactly one stage. A wave takes cells until so many percent of all cells (of its data centers, if it
 * names some) are in it or in a stage before; cells are taken in the order of their names. Stages without members are left out.
 */
export function stagesOf(spec: RolloutSpec, cells: readonly Member[], platform: Member | undefined): Stage[] {
  const sorted = cells.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const canary = sorted.filter((cell) => isCanary(spec, cell));
  const taken = new Set(canary);
  const stages: Stage[] = [
    { name: 'canary', members: canary },
    { name: 'platform', members: platform ? [platform] : [] },
  ];
  for (const [index, { percent, dataCenters }] of (spec.waves ?? []).entries()) {
    const all = sorted.filter(({ dataCenter }) => !dataCenters || dataCenters.includes(dataCenter));
    const share = Math.ceil((all.length * percent) / 100);
    const before = all.filter((cell) => taken.has(cell)).length;
    const members = all.filter((cell) => !taken.has(cell)).slice(0, Math.max(0, share - before));
    for (const cell of members) taken.add(cell);
    stages.push({ name: `wave-${index + 1}`, members });
  }
  stages.push({ name: 'rest', members: sorted.filter((cell) => !taken.has(cell)) });
  return stages.filter(({ members }) => members.length > 0);
}

function isCanary({ canary }: RolloutSpec, { name, labels }: Member): boolean {
  if (canary?.cells?.includes(name)) return true;
  const wanted = Object.entries(canary?.selector?.matchLabels ?? {});
  return wanted.length > 0 && wanted.every(([label, value]) => labels[label] === value);
}
