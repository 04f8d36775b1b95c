// Runs simulations from the command line:
//   node test/simulation/run.ts --seeds 100 --from 1        seeds 1 to 100; the first that fails is printed with its script
//   node test/simulation/run.ts --from 17 --seeds 1 --trace every event of seed 17
//   node test/simulation/run.ts --from 17 --seeds 1 --script FILE   with (a part of) a printed script of faults
//   node test/simulation/run.ts --mutation "no fence" --harm  with one of the safeguards taken out, looking for its harm
//   node test/simulation/run.ts --kinds "kill,leave"        with some kinds of faults only
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { FAULTS, parseScript } from './faults.ts';
import { MUTATIONS } from './mutations.ts';
import { describeFailure } from './report.ts';
import { simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    from: { type: 'string', default: '1' },
    script: { type: 'string' },
    mutation: { type: 'string' },
    trace: { type: 'boolean', default: false },
    kinds: { type: 'string' },
    harm: { type: 'boolean', default: false },
  },
});
const mutation = MUTATIONS.find((one) => one === values.mutation);
if (values.mutation !== undefined && !mutation) throw new Error(`mutations: ${MUTATIONS.join(', ')}`);
const script = values.script === undefined ? undefined : parseScript(readFileSync(values.script, 'utf8'));
const kinds = values.kinds?.split(',').map((kind) => {
  const known = FAULTS.find((one) => one === kind);
  if (!known) throw new Error(`faults: ${FAULTS.join(', ')}`);
  return known;
});
const from = Number(values.from);
for (let seed = from; seed < from + Number(values.seeds); seed++) {
  const startedAt = performance.now();
  const result = await simulate({ seed, mutation, kinds, script, exclusive: !values.harm });
  const { steps, virtualMs, reads, acknowledged, duplicates, fences, shared, hash, errors } = result;
  if (values.trace) console.log(result.lines.join('\n'));
  console.log(
    `seed ${seed}: ${steps} steps, ${Math.round(virtualMs / 1000)} s, ${reads} reads, ${acknowledged} writes ` +
      `(${duplicates} again), ${shared} shared entries, ${fences} fences, ${hash}, ` +
      `${Math.round(performance.now() - startedAt)} ms, ${JSON.stringify(errors)}`,
  );
  if (!result.violation) continue;
  console.log(describeFailure(result));
  process.exitCode = 1;
  break;
}
