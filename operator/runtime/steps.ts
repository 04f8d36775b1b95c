// A reconcile as a recipe: named steps, each with what must be done before. An error in one does not hide the others,
// only those that need it.

/** A step is done, or waits for something outside: then a sentence says for what. */
export type StepResult = { done: true } | { done: false; waitsFor: string };
export const DONE: StepResult = { done: true };
export const waitFor = (waitsFor: string): StepResult => ({ done: false, waitsFor });

export type Step<Name extends string> = {
  name: Name;
  /** What it does, as a title for people: "Start ZooKeeper". */
  title: string;
  needs: Name[];
  run: () => Promise<StepResult>;
};

export type StepReport<Name extends string> = {
  name: Name;
  title: string;
  outcome: 'done' | 'waiting' | 'failed' | 'held';
  /** What it waits for, or why it failed. */
  message: string;
  error?: unknown;
};

/** Runs the steps in order. Steps whose needs are not done are held. */
export async function runSteps<Name extends string>(
  steps: Step<Name>[],
  describe: (error: unknown) => string,
): Promise<StepReport<Name>[]> {
  const reports = new Map<Name, StepReport<Name>>();
  for (const { name, title, needs, run } of steps) {
    const missing = needs.filter((need) => reports.get(need)?.outcome !== 'done');
    if (missing.length > 0) {
      reports.set(name, { name, title, outcome: 'held', message: `Needs: ${missing.join(', ')}.` });
      continue;
    }
    try {
      const result = await run();
      reports.set(name, {
        name,
        title,
        outcome: result.done ? 'done' : 'waiting',
        message: result.done ? '' : result.waitsFor,
      });
    } catch (error) {
      reports.set(name, { name, title, outcome: 'failed', message: describe(error), error });
    }
  }
  return [...reports.values()];
}

/** Throws what failed, all of it in one error, so that the key comes again. */
export function throwFailures(reports: StepReport<string>[]): void {
  const failed = reports.filter(({ outcome }) => outcome === 'failed');
  if (failed.length === 0) return;
  throw new AggregateError(
    failed.map(({ error }) => error),
    failed.map(({ title, message }) => `${title}: ${message}`).join(' '),
  );
}
