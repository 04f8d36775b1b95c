import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { allCommands, cellctlProgram } from './program.ts';

const CELLCTL = fileURLToPath(new URL('cellctl.ts', import.meta.url));

test('every command that does something takes --json', () => {
  const doing = [...allCommands(cellctlProgram())].filter(
    // One with commands below it, like `user`, does nothing by itself; `backup` does, and takes it.
    (command) => command.commands.length === 0 || command.options.length > 0,
  );
  assert.ok(doing.length > 20, `${doing.length} commands`);
  const lacking = doing.filter((command) => !command.options.some(({ long }) => long === '--json'));
  assert.deepEqual(
    lacking.map((command) => command.name()),
    [],
  );
});

/** What cellctl says on standard error, and its exit code. */
async function failure(...args: string[]): Promise<{ code: number; stderr: string }> {
  const env = { ...process.env, CELLPOST_HOME: join(tmpdir(), 'no platform is here') };
  const error: unknown = await promisify(execFile)(process.execPath, [CELLCTL, ...args], { env }).then(
    () => assert.fail('it succeeded'),
    (failed: unknown) => failed,
  );
  return error as { code: number; stderr: string };
}

test('with --json an error is JSON, whatever is wrong; without it is a sentence', async () => {
  const [noPlatform, badOption, sentence] = await Promise.all([
    failure('nodes', '--json'),
    failure('rebalance', '--json', '--buckets', 'many'),
    failure('rebalance', '--buckets', 'many'),
  ]);
  assert.equal(noPlatform.code, 2);
  assert.match((JSON.parse(noPlatform.stderr) as { error: string }).error, /^No platform runs from/);
  assert.equal(badOption.code, 1);
  assert.match((JSON.parse(badOption.stderr) as { error: string }).error, /a whole number/);
  assert.match(sentence.stderr, /^cellctl: .*a whole number, 1 or more\.\n$/);
});
