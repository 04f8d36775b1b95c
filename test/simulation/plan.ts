// All that a run depends on, as data: drawn from a seed, or read from a file that a failed run has printed.
import { FAULTS, formatFault, makeFaults, parseFault, type Fault, type FaultKind } from './faults.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';
import { Random } from './random.ts';

/** A run has at least so many events while faults happen. */
const STEPS = 10_000;
/** ... and is at least so long: some tens of lost sessions. */
const FAULTS_MS = 60_000;
/** The script goes on beyond that, for runs in which events are rare. */
const SCRIPT_MS = 10 * FAULTS_MS;

export type Plan = {
  seed: number;
  servers: number;
  clients: number;
  keys: number;
  /** Further servers, which join when the cell has been at work for long. */
  latecomers: number;
  /** Users have the real images, and the real delivery; else a toy, which is quicker and shows more of what it did. */
  real: boolean;
  /** How many calls of the store meet a fate of their own. */
  storeFaults: number;
  /** How many requests of clients come twice. */
  doubles: number;
  /** Faults end after so many events and milliseconds. */
  steps: number;
  faultsMs: number;
  mutation: Mutation | undefined;
  /** Also check that no two servers would answer for a key at the same moment. Off when harm is to be seen instead. */
  exclusive: boolean;
  faults: readonly Fault[];
};

export type PlanOptions = {
  seed: number;
  /** One seed in some has, if it is not said. */
  real?: boolean | undefined;
  mutation?: Mutation | undefined;
  /** Faults of these kinds only. */
  kinds?: readonly FaultKind[] | undefined;
  exclusive?: boolean | undefined;
};

/** One in so many seeds has real images. */
const REAL_SHARE = 4;

export function makePlan({
  seed,
  real = seed % REAL_SHARE === 0,
  mutation,
  kinds,
  exclusive = true,
}: PlanOptions): Plan {
  const random = new Random(`${seed}/plan`);
  const servers = random.integer(3, 5);
  const latecomers = servers < 5 ? random.integer(0, 1) : 0;
  const counts = { servers, latecomers, clients: 6, keys: 10 };
  return {
    seed,
    ...counts,
    real,
    storeFaults: random.pick([0, 0.01, 0.05, 0.15]),
    doubles: random.pick([0, 0.01, 0.1]),
    steps: STEPS,
    faultsMs: FAULTS_MS,
    mutation,
    exclusive,
    faults: makeFaults(random.fork('faults'), namesOf(counts), SCRIPT_MS, real, kinds),
  };
}

const LATE = 'late';

/** Is the server one that joins late? */
export const isLate = (server: string): boolean => server.startsWith(LATE);

type Counts = Pick<Plan, 'servers' | 'latecomers' | 'clients' | 'keys'>;

export function namesOf({ servers, latecomers, clients, keys }: Counts) {
  const numbered = (start: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${start}${index}`);
  return {
    servers: [...numbered('n', servers), ...numbered(LATE, latecomers)],
    clients: numbered('c', clients),
    keys: numbered('user:u', keys),
  };
}

const NUMBERS = [
  'seed',
  'servers',
  'clients',
  'keys',
  'latecomers',
  'storeFaults',
  'doubles',
  'steps',
  'faultsMs',
] as const;

/** A line a setting, a line a fault. */
export function formatPlan(plan: Plan): string {
  return [
    ...NUMBERS.map((name) => `${name} ${plan[name]}`),
    `exclusive ${plan.exclusive}`,
    `real ${plan.real}`,
    ...(plan.mutation ? [`mutation ${plan.mutation}`] : []),
    ...plan.faults.map(formatFault),
  ].join('\n');
}

/** @throws on a line that is neither a setting nor a fault; lines that begin with # are passed over */
export function parsePlan(text: string): Plan {
  const plan: Plan = { ...makePlan({ seed: 0 }), faults: [] };
  const faults: Fault[] = [];
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const fault = parseFault(line);
    const [name = '', ...rest] = line.split(' ');
    const value = rest.join(' ');
    const number = NUMBERS.find((one) => one === name);
    if (fault) faults.push(fault);
    else if (number && Number.isFinite(Number(value))) plan[number] = Number(value);
    else if (name === 'exclusive') plan.exclusive = value === 'true';
    else if (name === 'real') plan.real = value === 'true';
    else if (name === 'mutation' && isMutation(value)) plan.mutation = value;
    else throw new Error(`neither a setting nor a fault: ${line}`);
  }
  return { ...plan, faults };
}

function isMutation(text: string): text is Mutation {
  return MUTATIONS.some((one) => one === text);
}

/** @throws on a name that is no kind of fault */
export function parseKinds(text: string): FaultKind[] {
  return text.split(',').map((name) => {
    const kind = FAULTS.find((one) => one === name.trim());
    if (!kind) throw new Error(`kinds of faults: ${FAULTS.join(', ')}`);
    return kind;
  });
}
