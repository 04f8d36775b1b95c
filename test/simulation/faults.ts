// What goes wrong and when: a script, made from the seed or read from a file. Each fault is undone after a while.
import type { Random } from './random.ts';

export const FAULTS = [
  'kill',
  'pause',
  'leave',
  'cut coordination',
  'cut coordination one way',
  'cut store',
  'cut clients',
  'slow coordination',
  'slow store',
  'lame',
  'reset',
  'coordination down',
] as const;

export type FaultKind = (typeof FAULTS)[number];

export type Fault = {
  atMs: number;
  kind: FaultKind;
  node: string;
  /** Until it is healed: the node starts again, the link works again. */
  forMs: number;
};

/** So long no fault lasts that a healed system would need another bound of time than that of the checks. */
const LONGEST_MS = 6_000;

/**
 * Every other script has a few kinds only: what goes wrong after many handovers is not seen in a cell that is mostly down.
 * @param kinds these instead
 */
export function makeScript(
  random: Random,
  nodes: readonly string[],
  untilMs: number,
  kinds?: readonly FaultKind[],
): Fault[] {
  const script: Fault[] = [];
  const drawn = random.chance(0.5)
    ? FAULTS
    : Array.from({ length: random.integer(1, 4) }, () => random.pick(FAULTS));
  const calmMs = random.pick([400, 1_000, 2_000, 4_000]);
  for (let atMs = random.between(0, 2_000); atMs < untilMs; atMs += random.between(0, 2 * calmMs)) {
    const forMs = random.chance(0.5) ? random.between(1, 800) : random.between(800, LONGEST_MS);
    script.push({
      atMs: Math.round(atMs),
      kind: random.pick(kinds ?? drawn),
      node: random.pick(nodes),
      forMs: Math.round(forMs),
    });
  }
  return script;
}

export function formatScript(script: readonly Fault[]): string {
  return script.map(({ atMs, kind, node, forMs }) => `${atMs} ${node} ${kind} for ${forMs}`).join('\n');
}

/** @throws on a line that is no fault */
export function parseScript(text: string): Fault[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const match = /^(\d+) (\S+) (.+) for (\d+)$/.exec(line.trim());
    const kind = FAULTS.find((one) => one === match?.[3]);
    if (!match || !kind) throw new Error(`no fault: ${line}`);
    return { atMs: Number(match[1]), node: match[2] ?? '', kind, forMs: Number(match[4]) };
  });
}
