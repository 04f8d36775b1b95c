import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { UnexpectedAnswer } from '../../workloads/common/cell-client/errors.ts';
import { verifyLineSchema, type VerifyLine } from '../../workloads/common/cell-client/verify-lines.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { withCells } from '../connect.ts';
import { findUser } from '../find-user.ts';
import { printJson } from '../output.ts';
import { withProgress, type Progress } from '../progress.ts';

/** A replay of the largest log takes minutes; the server tells how far it is four times a second. */
const SILENCE_MS = 120_000;

type Options = { json?: boolean };
type Verified = NonNullable<VerifyLine['result']>;

/** `cellctl user verify USER`: is what is served the fold of the log? Exit code 1 when it is not. */
export function userVerifyCommand(): Command {
  return command('verify', "replays a user's whole log and compares what is served and stored with it");
}

/** `cellctl user regenerate USER`: makes the user's image and snapshot anew from the log. */
export function userRegenerateCommand(): Command {
  return command('regenerate', "makes a user's image and its snapshot anew from the log");
}

function command(name: 'verify' | 'regenerate', description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<user>', 'a mailbox address or a user id')
    .option('--json', 'prints JSON')
    .action((given: string, options: Options) =>
      withCells(async (cells) => {
        const userId = await findUser(cells, given);
        const result = await withProgress('replaying', 'entries', options, (progress) =>
          ask(cells, userKey(userId), name, progress),
        );
        const isGood = result.matches && result.snapshotMatches !== false;
        if (options.json) printJson({ userId, ...result });
        else process.stdout.write(`${userId}: ${inWords(result)}\n`);
        if (!isGood) process.exitCode = 1;
      }),
    );
}

async function ask(cells: Cells, key: string, name: string, progress: Progress): Promise<Verified> {
  const path = `/logs/${encodeURIComponent(key)}/${name}`;
  const response = await cells.request(key, {
    method: 'POST',
    path,
    idempotent: true,
    deadlineMs: SILENCE_MS,
    bodyTimeoutMs: SILENCE_MS,
  });
  if (response.status !== 200)
    throw new UnexpectedAnswer(`POST ${path}`, response.status, await text(response.body));
  let done = 0;
  for await (const json of createInterface({ input: response.body })) {
    const line = verifyLineSchema.parse(JSON.parse(json));
    if (line.progress) {
      progress.total(line.progress.of);
      progress.add(line.progress.done - done);
      done = line.progress.done;
    }
    if (line.result) return line.result;
  }
  throw new Error('The answer broke off: the app server knows why, or ended. Try again.');
}

function inWords({ seq, pages, matches, snapshotMatches }: Verified): string {
  const served = matches ? 'what is served is what the log says' : 'WHAT IS SERVED IS NOT WHAT THE LOG SAYS';
  const snapshots = {
    true: 'and so is the snapshot',
    false: 'BUT THE SNAPSHOT IS DAMAGED',
    undefined: 'and there is no snapshot yet',
  };
  const remedy = matches && snapshotMatches !== false ? '' : '; see cellctl user regenerate';
  return `${seq} entries, ${pages} pages: ${served}, ${snapshots[`${snapshotMatches}`]}${remedy}.`;
}
