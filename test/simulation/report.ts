// What a person needs to see of a failed run, and to run it again.
import { formatScript } from './faults.ts';
import type { RunResult } from './simulation.ts';

const LAST_EVENTS = 60;

export function describeFailure({ seed, violation, script, lines }: RunResult): string {
  return [
    `seed ${seed}: ${violation?.message}`,
    `# faults; run again: node test/simulation/run.ts --from ${seed} --seeds 1 [--trace] [--script FILE]`,
    formatScript(script),
    '# the last events',
    ...lines.slice(-LAST_EVENTS),
  ].join('\n');
}
