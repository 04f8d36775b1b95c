// Finds a smaller run that fails like a larger one: fewer faults, fewer of everything.
import type { Fault } from './faults.ts';
import type { Plan } from './plan.ts';
import { runPlan, type RunResult } from './simulation.ts';

export type ShrinkOptions = {
  /** No further run after so many. */
  maxRuns: number;
  onProgress?: (runs: number, faults: number) => void;
};

/** @returns the smallest failed run that was found; the given one at worst */
export async function shrink(failed: RunResult, { maxRuns, onProgress }: ShrinkOptions): Promise<RunResult> {
  const kind = kindOf(failed);
  let best = failed;
  let runs = 0;
  const tryPlan = async (plan: Plan): Promise<boolean> => {
    if (runs >= maxRuns) return false;
    runs++;
    const result = await runPlan(plan);
    if (kindOf(result) !== kind) return false;
    best = result;
    onProgress?.(runs, best.plan.faults.length);
    return true;
  };
  await dropFaults(() => best.plan, tryPlan);
  for (const change of [{ storeFaults: 0 }, { doubles: 0 }]) await tryPlan({ ...best.plan, ...change });
  for (const name of ['clients', 'servers', 'keys'] as const) {
    while (best.plan[name] > 1 && (await tryPlan({ ...best.plan, [name]: best.plan[name] - 1 })));
  }
  for (const halved of best.plan.faults) {
    const shorter = (fault: Fault) =>
      fault === halved ? { ...fault, forMs: Math.ceil(fault.forMs / 2) } : fault;
    await tryPlan({ ...best.plan, faults: best.plan.faults.map(shorter) });
  }
  return best;
}

/** Delta debugging: leaves out parts of the list, ever smaller ones, as long as the rest still fails. */
async function dropFaults(current: () => Plan, tryPlan: (plan: Plan) => Promise<boolean>): Promise<void> {
  if (current().faults.length > 0 && (await tryPlan({ ...current(), faults: [] }))) return;
  for (
    let size = Math.ceil(current().faults.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < current().faults.length;) {
      const plan = current();
      const faults = [...plan.faults.slice(0, from), ...plan.faults.slice(from + size)];
      if (!(await tryPlan({ ...plan, faults }))) from += size;
    }
  }
}

/** The invariant that was broken, or the message without what differs from run to run. */
function kindOf({ violation }: RunResult): string | undefined {
  if (!violation) return undefined;
  return /invariant \d/.exec(violation.message)?.[0] ?? violation.message.replace(/\S*\d\S*/g, '#');
}
