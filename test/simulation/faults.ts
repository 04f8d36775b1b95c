// What goes wrong and when. Each fault happens to something that has a name, and is undone after a while.
import { pairName } from './network.ts';
import type { Random } from './random.ts';

/** Each kind, and to what it happens: a server, a client, the way between the two, a key's data, a user, the coordination. */
const TARGETS = {
  kill: 'server',
  pause: 'server',
  leave: 'server',
  'cut coordination': 'server',
  'cut coordination one way': 'server',
  'cut store': 'server',
  'cut clients': 'server',
  'slow coordination': 'server',
  'slow store': 'server',
  'slow store answers': 'server',
  lame: 'server',
  reset: 'server',
  'double requests': 'server',
  'reorder requests': 'server',
  'clock forward': 'server',
  'clock back': 'server',
  'cut client': 'client',
  'cut pair': 'pair',
  'coordination down': 'coordination',
  'flip snapshot': 'key',
  'shorten snapshot': 'key',
  'lose snapshot': 'key',
  'old snapshot': 'key',
  'foreign snapshot': 'key',
  'misnumber snapshot': 'key',
  'newer snapshot': 'key',
  'flip page': 'key',
  'lose page': 'key',
  regenerate: 'key',
  move: 'user',
} as const;

export type FaultKind = keyof typeof TARGETS;
/** What a store may do to an image's data; the log itself is the truth, and no store may change it. */
export type DamageKind = {
  [Kind in FaultKind]: (typeof TARGETS)[Kind] extends 'key' ? Kind : never;
}[FaultKind];

export const FAULTS = Object.keys(TARGETS) as FaultKind[];

export type Fault = {
  atMs: number;
  kind: FaultKind;
  /** `n0`, `c0`, `c0~n0`, `user:u0`, `coordination` */
  target: string;
  /** Until it is healed: the node starts again, the link works again. */
  forMs: number;
};

export type Names = { servers: readonly string[]; clients: readonly string[]; keys: readonly string[] };

/** No fault lasts so long that a healed system would need another bound of time than that of the checks. */
const LONGEST_MS = 6_000;

/** What happens to servers moves keys about, without which little of the rest is ever seen. */
const SERVER_WEIGHT = 3;
const weighted = (isReal: boolean): FaultKind[] =>
  FAULTS.filter((kind) => isReal || TARGETS[kind] !== 'user').flatMap((kind) =>
    TARGETS[kind] === 'server' ? Array.from({ length: SERVER_WEIGHT }, () => kind) : [kind],
  );

export function isDamage(kind: FaultKind): kind is DamageKind {
  return TARGETS[kind] === 'key';
}

/**
 * Every other script has a few kinds only: what goes wrong after many handovers is not seen in a cell that is mostly down.
 * @param isReal have keys real users? Only these can move
 * @param kinds these instead
 */
export function makeFaults(
  random: Random,
  names: Names,
  untilMs: number,
  isReal: boolean,
  kinds?: readonly FaultKind[],
): Fault[] {
  const faults: Fault[] = [];
  const all = weighted(isReal);
  const drawn = random.chance(0.5)
    ? all
    : Array.from({ length: random.integer(1, 4) }, () => random.pick(all));
  const calmMs = random.pick([400, 1_000, 2_000, 4_000]);
  for (let atMs = random.between(0, 2_000); atMs < untilMs; atMs += random.between(0, 2 * calmMs)) {
    const forMs = random.chance(0.5) ? random.between(1, 800) : random.between(800, LONGEST_MS);
    const kind = random.pick(kinds ?? drawn);
    faults.push({
      atMs: Math.round(atMs),
      kind,
      target: target(random, kind, names),
      forMs: Math.round(forMs),
    });
  }
  return faults;
}

function target(random: Random, kind: FaultKind, { servers, clients, keys }: Names): string {
  switch (TARGETS[kind]) {
    case 'server':
      return random.pick(servers);
    case 'client':
      return random.pick(clients);
    case 'pair':
      return pairName(random.pick(clients), random.pick(servers));
    case 'key':
    case 'user':
      return random.pick(keys);
    case 'coordination':
      return 'coordination';
  }
}

export function formatFault({ atMs, kind, target: name, forMs }: Fault): string {
  return `${atMs} ${name} ${kind} for ${forMs}`;
}

/** @returns undefined for a line that is no fault */
export function parseFault(line: string): Fault | undefined {
  const match = /^(\d+) (\S+) (.+) for (\d+)$/.exec(line.trim());
  const kind = FAULTS.find((one) => one === match?.[3]);
  if (!match || !kind) return undefined;
  return { atMs: Number(match[1]), target: match[2] ?? '', kind, forMs: Number(match[4]) };
}
