// npm run bench:move: a user of 10,000 messages moves to and fro between two cells while mail comes in and JMAP requests are
// made. How long is the user frozen, how long does the longest request take, does one fail?
//   --messages 10000
//   --moves 20
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { moveKey } from '../../workloads/common/moves/move-key.ts';
import { postfixPrograms, type PostfixPrograms } from '../real/postfix.ts';
import { machine } from './support/cpu.ts';
import { quantile } from './support/measure.ts';
import { startServices } from './support/services.ts';
import { table } from './support/table.ts';

const ADDRESS = 'mover@cellpost.test';
const MESSAGE_BYTES = 2_048;
const FILLING_SESSIONS = 20;
const CLIENTS = 4;
/** Each client asks again after this pause. */
const PAUSE_MS = 5;
/** Between two moves, in which requests go on. */
const REST_MS = 500;
const DEADLINE_MS = 30_000;

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '10000' }, moves: { type: 'string', default: '20' } },
});
const messages = Number(values.messages);
const moves = Number(values.moves);

/** @returns the client's process: it ends when all is acknowledged */
function send({ smtpSource, env }: PostfixPrograms, port: number, count: number, sessions: number) {
  const args = ['-s', `${sessions}`, '-m', `${count}`, '-l', `${MESSAGE_BYTES}`, '-f', 'from@cellpost.test'];
  return spawn(smtpSource, [...args, '-t', ADDRESS, `127.0.0.1:${port}`], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Clients that list the newest messages and set a mailbox's sort order in turns. */
class Load {
  readonly timesMs: number[] = [];
  failed = 0;
  readonly #ending = new AbortController();
  readonly #clients: Promise<void>[];

  constructor(cells: Cells, user: string) {
    const call = async (n: number): Promise<boolean> => {
      const method =
        n % 2 === 0
          ? [
              'Email/query',
              { accountId: user, limit: 50, sort: [{ property: 'receivedAt', isAscending: false }] },
              '0',
            ]
          : ['Mailbox/set', { accountId: user, update: { 'm1-3': { sortOrder: n % 1_000 } } }, '0'];
      const response = await cells.request(userKey(user), {
        method: 'POST',
        path: `/users/${user}/jmap/api`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          using: ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail'],
          methodCalls: [method],
        }),
        idempotent: true,
        deadlineMs: DEADLINE_MS,
      });
      const answer = (await response.json()) as { methodResponses?: [string][] };
      return response.status === 200 && answer.methodResponses?.[0]?.[0] !== 'error';
    };
    this.#clients = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let n = client; !this.#ending.signal.aborted; n++) {
        const began = performance.now();
        if (!(await call(n).catch(() => false))) this.failed++;
        this.timesMs.push(performance.now() - began);
        await delay(PAUSE_MS);
      }
    });
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#clients);
    this.timesMs.sort((a, b) => a - b);
  }
}

await using resources = new AsyncDisposableStack();
const programs = await postfixPrograms();
const services = await startServices({
  cells: ['a', 'b'],
  appServers: 2,
  logStore: (cell, folder) => `sqlite:${folder}/${cell}.db`,
});
resources.defer(() => services.close());
const { cells } = services;
const user = await cells.createUser({ addresses: [ADDRESS], displayName: 'Mover', password: 'password' });
const [status] = (await once(send(programs, services.smtpPort, messages, FILLING_SESSIONS), 'exit')) as [
  number,
];
if (status !== 0) throw new Error(`smtp-source ended with ${status}`);
const load = new Load(cells, user);
const mail = send(programs, services.smtpPort, 1_000_000, 1);
const froze: number[] = [];
const took: number[] = [];
for (let n = 0; n < moves; n++) {
  const from = await cells.discovery.cellOf(userKey(user));
  const began = performance.now();
  const moved = await moveKey(cells, userKey(user), from === 'a' ? 'b' : 'a');
  // The first copies all of it; those that follow what is new since.
  took.push(performance.now() - began);
  if (moved) froze.push(moved.frozenMs);
  await delay(REST_MS);
}
mail.kill('SIGTERM');
await once(mail, 'exit');
await load.end();
froze.sort((a, b) => a - b);
const ms = (value: number | undefined): string => `${(value ?? 0).toFixed(0)} ms`;
console.log(`${machine()}; ${messages} messages, logs in SQLite\n`);
console.log(
  table(
    [
      'moves',
      'frozen p50',
      'frozen max',
      'first move in all',
      'requests',
      'failed',
      'request p50',
      'request max',
    ],
    [
      [
        froze.length,
        ms(quantile(froze, 0.5)),
        ms(froze.at(-1)),
        ms(took[0]),
        load.timesMs.length,
        load.failed,
        ms(quantile(load.timesMs, 0.5)),
        ms(load.timesMs.at(-1)),
      ],
    ],
  ),
);
process.exitCode = load.failed === 0 ? 0 : 1;
