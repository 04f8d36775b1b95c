// kill -9 while a user moves: of the real `cellctl user move`, of app servers of both cells, of discovery. Mail and requests go
// on meanwhile; nobody repeats a command, and nothing is lost.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { moveKey, unfinishedMoves } from '../../workloads/common/moves/move-key.ts';
import { openTestCells } from '../support/cells.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';
import { killMovers, otherCell } from './kill-movers.ts';
import { MoveLoad } from './move-load.ts';

const ALICE = 'alice@cellpost.test';
const WAIT_MS = 60_000;
/** A server that was killed is back long before so many movers gave up. */
const MAX_TRIES = 5;

type Node = { cell: string; node: string; state: string; pid: number };

let platform: PlatformUnderTest;
let cells: Cells;
let key: string;

before(async () => {
  platform = await startPlatform();
  cells = await openTestCells(platform.home);
  key = userKey((await platform.cellctl<{ userId: string }>('where', ALICE)).userId);
});

after(async () => {
  await cells?.close();
  await platform?.[Symbol.asyncDispose]();
});

const cellOfAlice = async (): Promise<string> => (await cells.discovery.cellOf(key)) ?? '';

test('cellctl user move is killed at one step after another; what it began is finished, and nobody sees an error', async (t) => {
  await using load = await MoveLoad.start(platform, ALICE);
  await killMovers({
    cells,
    key,
    env: { CELLPOST_HOME: platform.home },
    load,
    say: (line) => t.diagnostic(line),
  });
  await load.assertGood();
});

/** Before it ends the log, before it copies what came last, and before it puts the new place on the map. */
const MOMENTS = ['end', 'copy', 'settle'] as const;
type Moment = (typeof MOMENTS)[number];

/** Cells that do `work` at a moment of a move, before its request. */
function at(moment: Moment, work: () => void): Cells {
  let reached: Moment | undefined;
  const onStep = (name: PropertyKey, path: string): void => {
    const before = reached;
    if (path.endsWith('/move')) reached = 'end';
    else if (reached === 'end' && path.includes('/entries')) reached = 'copy';
    else if (name === 'putException' || name === 'deleteException') reached = 'settle';
    if (reached !== before && reached === moment) work();
  };
  const watched = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const value: unknown = Reflect.get(object, name);
        if (name === 'discovery') return watched(value as object);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const options = args[1];
          onStep(
            name,
            typeof options === 'object' && options && 'path' in options ? String(options.path) : '',
          );
          return value.apply(object, args) as unknown;
        };
      },
    });
  return watched(cells);
}

async function appServerOf(cell: string): Promise<number> {
  const { node } = await cells.where(key);
  const serving = (await platform.cellctl<Node[]>('nodes')).filter(
    (one) => one.cell === cell && one.state === 'serving',
  );
  const pid = (serving.find((one) => one.node === node) ?? serving[0])?.pid;
  assert.ok(pid, `an app server of cell ${cell} serves`);
  return pid;
}

/** The platform's process of discovery: a child of the launcher that was told so. */
async function discoveryProcess(): Promise<number> {
  for (const pid of (await readdir('/proc')).map(Number).filter(Number.isInteger)) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (parent === platform.process.pid && command.split('\0').includes('discovery')) return pid;
  }
  throw new Error('Discovery does not run.');
}

const VICTIMS: Record<string, (from: string) => Promise<number>> = {
  'the app server that it moves from': appServerOf,
  'an app server of the cell that it moves to': (from) => appServerOf(otherCell(from)),
  discovery: discoveryProcess,
};

for (const [victim, find] of Object.entries(VICTIMS)) {
  test(`kill -9 of ${victim} at any step of a move loses nothing, and nobody sees an error`, async () => {
    await using load = await MoveLoad.start(platform, ALICE);
    for (const moment of MOMENTS) {
      let from = '';
      const killed: number[] = [];
      // While a server that was killed before comes back a mover may give up sooner: then another one begins.
      for (let tries = 0; killed.length === 0 && tries < MAX_TRIES; tries++) {
        from = await cellOfAlice();
        const pid = await find(from);
        const killing = at(moment, () => {
          process.kill(pid, 'SIGKILL');
          killed.push(pid);
        });
        // A mover that gave up is no matter: discovery takes its move up.
        await moveKey(killing, key, otherCell(from)).catch(() => undefined);
        await until(async () => (await unfinishedMoves(cells)).length === 0, {
          timeoutMs: WAIT_MS,
          what: 'the move to be finished',
        });
      }
      assert.equal(killed.length, 1, moment);
      assert.equal(await cellOfAlice(), otherCell(from));
      await load.passes(3);
    }
    await load.assertGood();
  });
}
