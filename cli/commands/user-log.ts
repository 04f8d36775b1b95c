import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { userKey } from '../../workloads/common/keys.ts';
import type { TransferRow } from '../../workloads/common/transfer/transfer-rows.ts';
import { withCells } from '../connect.ts';
import { findUser } from '../find-user.ts';
import { actionToJson, describeAction, type Place } from '../log/describe.ts';
import { decodeEntry, readEntries, readHead, seqAtTime, type LogSource } from '../log/log-client.ts';
import { LogNames } from '../log/log-names.ts';
import { printLine } from '../output.ts';
import { formatTime, parseSeq, parseTime } from '../times.ts';

/** How often a followed log is asked for more. */
const FOLLOW_MS = 1_000;

type Options = { from?: number; to?: number; since?: number; follow?: boolean; json?: boolean };

/** `cellctl user log ADDRESS`: what happened to a user, an action a line. */
export function userLogCommand(): Command {
  return new Command('log')
    .description("shows a user's log: number, time, app server, what happened")
    .argument('<user>', 'a mailbox address or a user id')
    .option('--from <seq>', 'the first entry', parseSeq)
    .option('--to <seq>', 'the last entry', parseSeq)
    .option('--since <time>', 'entries of this time and later: 2026-11-23T09:30, or 2h (ago)', parseTime)
    .option('-f, --follow', 'waits for more, until Ctrl-C')
    .option('--json', 'prints one JSON object a line')
    .action((given: string, options: Options) =>
      withCells(async (cells) => {
        const key = userKey(await findUser(cells, given));
        const head = await readHead(cells, key);
        if (!head) throw new Error(`There is no user ${given}.`);
        const since = options.since === undefined ? 1 : await seqAtTime(cells, key, options.since, head);
        await show(cells, key, Math.max(since, options.from ?? 1), options);
      }),
    );
}

async function show(source: LogSource, key: string, from: number, options: Options): Promise<void> {
  const names = new LogNames(source, key);
  let next = from;
  for (;;) {
    const range = { from: next, ...(options.to !== undefined && { to: options.to }) };
    for await (const row of readEntries(source, key, { ...range, bodies: false })) {
      await showEntry(row, names, options);
      next = row.seq + 1;
    }
    if (!options.follow || (options.to !== undefined && next > options.to)) return;
    await delay(FOLLOW_MS);
  }
}

async function showEntry(row: TransferRow, names: LogNames, { json }: Options): Promise<void> {
  const { timeMs, writer, actions } = decodeEntry(row);
  const line = async (what: string): Promise<void> =>
    await printLine(`${String(row.seq).padStart(6)}  ${formatTime(timeMs)}  ${writer.server}  ${what}`);
  const object = async (index: number | null, what: Record<string, unknown>): Promise<void> =>
    await printLine(
      JSON.stringify({ seq: row.seq, index, time: new Date(timeMs).toISOString(), writer, ...what }),
    );
  if (actions.length === 0) {
    if (json) await object(null, { type: 'fence' });
    else await line(`taken over by ${writer.server}`);
  }
  for (const [index, action] of actions.entries()) {
    const at: Place = { seq: row.seq, index };
    if (json) await object(index, await actionToJson(action, at, names));
    else await line(await describeAction(action, at, names));
    names.note(action, at);
  }
}
