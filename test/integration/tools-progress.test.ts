// What cellctl shows a person who waits: a bar at a terminal, and nothing of it elsewhere.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { works } from '../../images/command.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';

const DEADLINE_MS = 60_000;
const BAR = /Backing up \[[^\]]+\] \d+\/\d+ logs/;
const DONE = /backup \S+: \d+ logs with/;

let platform: PlatformUnderTest;

before(async () => {
  platform = await startPlatform();
});

after(() => platform?.[Symbol.asyncDispose]());

const run = (program: string, args: string[]): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(program, args, {
    env: { ...process.env, CELLPOST_HOME: platform.home },
    timeout: DEADLINE_MS,
  });

const backup = (name: string): string[] => [
  'cli/cellctl.ts',
  'backup',
  '--to',
  `file:${join(platform.home, name)}`,
];

// Of util-linux: others take the command in another way, or print none of their names.
const skip = (await works('script', ['--version'])) ? false : 'there is no script (util-linux) here';

async function atTerminal(...args: string[]): Promise<string> {
  const command = [process.execPath, ...args].map((arg) => `'${arg}'`).join(' ');
  return (await run('script', ['-qec', command, '/dev/null'])).stdout;
}

test('at a terminal a bar tells how far a command has come, and not to a program', { skip }, async () => {
  const shown = await atTerminal(...backup('shown'));
  assert.match(shown, BAR);
  assert.match(shown, DONE);
  const told = await atTerminal(...backup('told'), '--json');
  assert.doesNotMatch(told, BAR);
  assert.match(told, /"keys"/);
});

test('loading friends from a file shows how much of it is read and stored', { skip }, async () => {
  const edges = join(platform.home, 'edges.txt');
  await writeFile(edges, 'u1 u2\nu2 u3\n');
  const shown = await atTerminal('cli/cellctl.ts', 'user-index', 'load', edges);
  assert.match(shown, /reading \[[^\]]+\] \d+\/\d+ bytes/);
  assert.match(shown, /storing \[[^\]]+\] \d+\/\d+ bytes/);
  assert.match(shown, /3 users, 2 friendships/);
});

test('without a terminal there is no bar', async () => {
  const { stdout, stderr } = await run(process.execPath, backup('quiet'));
  assert.equal(stderr, '');
  assert.match(stdout, DONE);
  assert.doesNotMatch(stdout, BAR);
});
