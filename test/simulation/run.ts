// Runs simulations from the command line (npm run simulate -- …):
//   --seeds 100 [--from 1]        seeds 1 to 100
//   --minutes 10 [--from 1]       as many seeds as ten minutes take
//   --jobs 2                      so many at once; one a core by default
//   --seed 17 [--trace]           one seed; with every event
//   --replay FILE [--trace]       a run as a script says
//   --mutation "no fence" --harm  with one of the safeguards taken out, looking for its harm
//   --kinds "kill,leave"          with some kinds of faults only
// The first run that fails is made smaller (--shrink 0: is not) and printed as a script, which --out FILE also writes.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { MUTATIONS } from './mutations.ts';
import { makePlan, parseKinds, parsePlan, type Plan } from './plan.ts';
import { describeFailure, scriptOf } from './report.ts';
import { shrink } from './shrink.ts';
import { runPlan, type RunResult } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string' },
    seed: { type: 'string' },
    replay: { type: 'string' },
    out: { type: 'string' },
    shrink: { type: 'string', default: '150' },
    mutation: { type: 'string' },
    trace: { type: 'boolean', default: false },
    kinds: { type: 'string' },
    harm: { type: 'boolean', default: false },
  },
});

const DEFAULT_SEEDS = 10;
const startedAt = performance.now();
const seconds = () => (performance.now() - startedAt) / 1000;
const COUNTED = ['steps', 'virtualMs', 'reads', 'told', 'acknowledged', 'duplicates', 'fences'] as const;
const totals = {
  runs: 0,
  steps: 0,
  virtualMs: 0,
  reads: 0,
  told: 0,
  acknowledged: 0,
  duplicates: 0,
  fences: 0,
};

function plansToRun(): Iterable<Plan> {
  if (values.replay !== undefined) return [parsePlan(readFileSync(values.replay, 'utf8'))];
  const mutation = MUTATIONS.find((one) => one === values.mutation);
  if (values.mutation !== undefined && !mutation) throw new Error(`mutations: ${MUTATIONS.join(', ')}`);
  const kinds = values.kinds === undefined ? undefined : parseKinds(values.kinds);
  const plan = (seed: number) => makePlan({ seed, mutation, kinds, exclusive: !values.harm });
  return values.seed === undefined ? manyPlans(plan) : [plan(Number(values.seed))];
}

function* manyPlans(plan: (seed: number) => Plan): Generator<Plan, void, undefined> {
  const from = Number(values.from);
  const untilSeconds = values.minutes === undefined ? Infinity : Number(values.minutes) * 60;
  const count = Number(values.seeds ?? (values.minutes === undefined ? DEFAULT_SEEDS : Infinity));
  for (let seed = from; seed < from + count && seconds() < untilSeconds; seed++) yield plan(seed);
}

function count(result: RunResult): void {
  totals.runs++;
  for (const name of COUNTED) totals[name] += result[name];
}

function describeRun({ plan, ...result }: RunResult, tookMs: number): string {
  return (
    `seed ${plan.seed}: ${result.steps} steps, ${Math.round(result.virtualMs / 1000)} s, ${result.reads} reads, ${result.told} answers of APIs, ` +
    `${result.acknowledged} writes (${result.duplicates} again), ${result.shared} shared entries, ` +
    `${result.fences} fences, ${result.hash}, ${Math.round(tookMs)} ms, ${JSON.stringify(result.errors)}`
  );
}

function summary(): string {
  const rate = totals.runs / seconds();
  return (
    `${totals.runs} runs in ${seconds().toFixed(0)} s (${rate.toFixed(2)} a second): ${totals.steps} steps, ` +
    `${(totals.virtualMs / 3_600_000).toFixed(1)} h, ${totals.reads} reads, ${totals.told} answers of APIs, ${totals.acknowledged} writes ` +
    `(${totals.duplicates} again), ${totals.fences} fences`
  );
}

async function report(failed: RunResult): Promise<void> {
  const maxRuns = Number(values.shrink);
  if (maxRuns > 0)
    console.log(`seed ${failed.plan.seed}: ${failed.violation?.message}; looking for a smaller run`);
  const smallest = await shrink(failed, {
    maxRuns,
    onProgress: (runs, faults) => showProgress(`${runs} runs, ${faults} faults left`),
  });
  showProgress('');
  console.log(describeFailure(smallest));
  if (values.out !== undefined) writeFileSync(values.out, scriptOf(smallest));
  process.exitCode = 1;
}

/** One line that is written over, where somebody looks on. */
function showProgress(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001B[K${line}`);
}

/** @returns false when it failed, and was reported */
async function take(result: RunResult, tookMs: number): Promise<boolean> {
  count(result);
  if (values.trace) console.log(result.lines.join('\n'));
  const line = describeRun(result, tookMs);
  // Thousands of lines tell a person nothing; a line now and then tells a log that it goes on.
  if (totals.runs <= 20 || (!process.stdout.isTTY && totals.runs % 100 === 0)) console.log(line);
  else showProgress(summary());
  if (!result.violation) return true;
  await report(result);
  return false;
}

async function runHere(plans: Iterable<Plan>): Promise<void> {
  for (const plan of plans) {
    const from = performance.now();
    const result = await runPlan(plan);
    if (!(await take(result, performance.now() - from))) return;
  }
}

/** Each in a thread; a run that fails there is run again here, to be reported. */
async function runInThreads(plans: Iterator<Plan>, jobs: number): Promise<void> {
  let failed = false;
  const work = async (worker: Worker): Promise<void> => {
    for (let next = plans.next(); !next.done && !failed; next = plans.next()) {
      const from = performance.now();
      // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      worker.postMessage(next.value);
      const [result] = (await once(worker, 'message')) as [RunResult];
      if (failed) return;
      failed = result.violation !== undefined;
      await take(failed ? await runPlan(next.value) : result, performance.now() - from);
    }
  };
  const workers = Array.from({ length: jobs }, () => new Worker(new URL('run-worker.ts', import.meta.url)));
  await Promise.all(workers.map(work));
  await Promise.all(workers.map((worker) => worker.terminate()));
}

const plans = plansToRun();
const jobs = Number(values.jobs ?? availableParallelism());
if (Array.isArray(plans) || values.trace || jobs === 1) await runHere(plans);
else await runInThreads(plans[Symbol.iterator](), jobs);
showProgress('');
console.log(summary());
