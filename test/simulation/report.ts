// What a person needs to see of a failed run, and to run it again.
import { formatPlan } from './plan.ts';
import type { RunResult } from './simulation.ts';

const LAST_EVENTS = 60;

/** The script of a run: `--replay FILE` takes it. */
export function scriptOf({ plan, violation, hash }: RunResult): string {
  return [
    `# ${violation?.message ?? 'nothing went wrong'}`,
    `# events: ${hash}`,
    '# replay: npm run simulate -- --replay FILE [--trace]',
    formatPlan(plan),
    '',
  ].join('\n');
}

export function describeFailure(result: RunResult): string {
  return [
    `seed ${result.plan.seed}: ${result.violation?.message}`,
    scriptOf(result),
    '# the last events',
    ...result.lines.slice(-LAST_EVENTS).map((line) => `# ${line}`),
  ].join('\n');
}
