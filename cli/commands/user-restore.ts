import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import {
  restoreLineSchema,
  type RestoreLine,
  type RestoreSummary,
} from '../../workloads/common/cell-client/restore-lines.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { withCells } from '../connect.ts';
import { findUser } from '../find-user.ts';
import { printJson } from '../output.ts';
import { withProgress, type Progress } from '../progress.ts';
import { formatTime, parseSeq, parseTime } from '../times.ts';

/** An app server that dies or hands the user over breaks a restore off; it is asked for again, this often. */
const MAX_ATTEMPTS = 10;
const PAUSE_MS = 500;

type Moment = { toSeq: number } | { toTimeMs: number };
type Options = {
  toTime?: number;
  toSeq?: number;
  keepNewer: boolean;
  dryRun?: boolean;
  json?: boolean;
};

/** `cellctl user restore ADDRESS --to-time T`: takes a mailbox back to how it was. */
export function userRestoreCommand(): Command {
  return new Command('restore')
    .description(
      "takes a user's mailbox back to how it was: mailboxes, messages, keywords; appends to the log, so it can be taken back itself",
    )
    .argument('<user>', 'a mailbox address or a user id')
    .option('--to-time <time>', 'to a time: 2026-11-23T09:30, or 2h (ago)', parseTime)
    .option('--to-seq <seq>', 'to after this entry of the log (see user log)', parseSeq)
    .option(
      '--no-keep-newer',
      'destroys mail that came later; otherwise it stays, as losing mail is worse than having too much',
    )
    .option('--dry-run', 'says what would be done, and does nothing')
    .option('--json', 'prints JSON')
    .action((given: string, options: Options) =>
      withCells(async (cells) => {
        const { toSeq, toTime } = options;
        if ((toSeq === undefined) === (toTime === undefined))
          throw new Error('Say what to go back to: --to-time TIME or --to-seq SEQ.');
        const userId = await findUser(cells, given);
        const summary = await withProgress('Restoring', 'changes', options, (progress) =>
          restore(
            cells,
            userId,
            toSeq === undefined ? { toTimeMs: toTime ?? 0 } : { toSeq },
            options,
            progress,
          ),
        );
        if (options.json) printJson(summary);
        else process.stdout.write(describe(given, summary, options));
      }),
    );
}

async function restore(
  cells: Cells,
  userId: string,
  moment: Moment,
  options: Options,
  progress: Progress,
): Promise<RestoreSummary> {
  let asked = moment;
  let seqBefore: number | undefined;
  for (let attempt = 1; ; attempt++) {
    let problem = 'the answer broke off';
    try {
      for await (const line of ask(cells, userId, asked, options)) {
        if (line.started) {
          // Later attempts mean the same moment, and what was there before the first.
          seqBefore ??= line.started.seqBefore;
          asked = { toSeq: line.started.toSeq };
        }
        if (line.progress) progress.set(line.progress.done, line.progress.of);
        if (line.result) return { ...line.result, seqBefore: seqBefore ?? line.result.seqBefore };
        if (line.error && !line.error.mayBeRepeated) throw new Refused(line.error.message);
        if (line.error) problem = line.error.message;
      }
    } catch (error) {
      if (error instanceof Refused || seqBefore === undefined) throw error;
      problem = error instanceof Error ? error.message : String(error);
    }
    if (attempt === MAX_ATTEMPTS) throw new Error(`${problem}; the restore may be asked for again`);
    await delay(PAUSE_MS);
  }
}

/** The same would be refused again. */
class Refused extends Error {
  override name = 'Refused';
}

async function* ask(
  cells: Cells,
  userId: string,
  moment: Moment,
  { keepNewer, dryRun = false }: Options,
): AsyncGenerator<RestoreLine> {
  const response = await cells.request(userKey(userId), {
    method: 'POST',
    path: `/users/${userId}/restore`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...moment, keepNewer, dryRun }),
    idempotent: true,
  });
  if (response.status !== 200) {
    const answer = await text(response.body);
    const detail = z.object({ detail: z.string() }).safeParse(parsed(answer)).data?.detail;
    throw new Refused(detail ?? `${response.status} ${answer.slice(0, 200)}`);
  }
  // readline passes on no errors of its input; the lines end without a result then.
  response.body.once('error', () => undefined);
  for await (const line of createInterface({ input: response.body, crlfDelay: Infinity }))
    yield restoreLineSchema.parse(JSON.parse(line));
}

function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    return undefined;
  }
}

function describe(given: string, summary: RestoreSummary, options: Options): string {
  const { seqBefore, toSeq, mailboxes, emails, newerEmails } = summary;
  const would = options.dryRun ? 'would be ' : '';
  const when = options.toTime === undefined ? '' : ` (${formatTime(options.toTime)})`;
  const line = (what: string, { added, changed, destroyed }: RestoreSummary['emails']): string =>
    `  ${what}: ${added} ${would}added again, ${changed} ${would}changed back, ${destroyed} ${would}destroyed\n`;
  return [
    `${given} ${options.dryRun ? 'would go' : 'is'} back to entry ${toSeq}${when}\n`,
    line('mailboxes', mailboxes),
    line('messages', emails),
    newerEmails > 0 ? `  ${newerEmails} messages that came later stay\n` : '',
    options.dryRun ? '' : `To take this back: cellctl user restore ${given} --to-seq ${seqBefore}\n`,
  ].join('');
}
