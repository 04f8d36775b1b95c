// Runs test suites: `node test/run.ts unit conformance …` (none named: all but e2e). Prints node:test's report, then
// `N passed, N failed`; CELLPOST_TEST_COUNTS names a file that gets the two numbers, for a caller that adds them up.
import { appendFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { prepareMachine } from './support/machine.ts';

type Suite = { patterns: string[]; concurrency: number; timeoutMs: number };

/** One file at a time where files start clusters of processes or take a whole core. */
const SUITES: Record<string, Suite> = {
  unit: {
    patterns: ['{bin,cli,embedded,operator,workloads}/**/*.test.ts'],
    concurrency: 2,
    timeoutMs: 120_000,
  },
  conformance: { patterns: ['test/conformance/*.test.ts'], concurrency: 1, timeoutMs: 600_000 },
  simulation: { patterns: ['test/simulation/*.test.ts'], concurrency: 2, timeoutMs: 900_000 },
  integration: { patterns: ['test/integration/*.test.ts'], concurrency: 1, timeoutMs: 600_000 },
  // A cell of twenty JVMs, each of whose pods goes several times, on two cores.
  e2e: { patterns: ['test/e2e/*.test.ts'], concurrency: 1, timeoutMs: 3_600_000 },
};

async function runSuite(
  name: string,
  suite: Suite,
  only: string[],
): Promise<{ passed: number; failed: number }> {
  const files: string[] = [];
  for await (const file of glob(suite.patterns, { exclude: ['**/node_modules/**'] })) files.push(file);
  const chosen = files.filter((file) => only.length === 0 || only.some((part) => file.includes(part))).sort();
  if (chosen.length === 0) return { passed: 0, failed: 0 };
  console.log(`\n== ${name}: ${chosen.length} files`);
  let passed = 0;
  let failed = 0;
  const stream = run({ files: chosen, concurrency: suite.concurrency, timeout: suite.timeoutMs });
  stream.on('test:pass', (event) => {
    if (event.details.type === 'suite') return;
    if (event.skip) console.log(`skipped: ${event.name}: ${event.skip}`);
    else passed++;
  });
  stream.on('test:fail', (event) => {
    if (event.details.type !== 'suite') failed++;
  });
  const report = stream.compose(spec);
  for await (const chunk of report) process.stdout.write(String(chunk));
  return { passed, failed };
}

const args = process.argv.slice(2);
const names = args.filter((arg) => arg in SUITES);
const only = args.filter((arg) => !(arg in SUITES));
if (names.length === 0) names.push(...Object.keys(SUITES).filter((name) => name !== 'e2e'));
if (names.some((name) => name !== 'unit' && name !== 'simulation')) await prepareMachine();
let passed = 0;
let failed = 0;
for (const name of names) {
  const suite = SUITES[name];
  if (!suite) continue;
  const counts = await runSuite(name, suite, only);
  passed += counts.passed;
  failed += counts.failed;
}
if (process.env.CELLPOST_TEST_COUNTS)
  appendFileSync(process.env.CELLPOST_TEST_COUNTS, `${passed} ${failed}\n`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
