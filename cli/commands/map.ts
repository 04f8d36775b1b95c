import { Command } from 'commander';
import type { CellSummary, MapSummary } from '../../workloads/common/cell-client/map-summary.ts';
import { withCells } from '../connect.ts';
import { formatTable, printJson } from '../output.ts';

/** `cellctl map`: which share of the users each cell has, and of those each app server, as discovery knows it. */
export function mapCommand(): Command {
  return new Command('map')
    .description('shows the map as discovery knows it: cells, app servers, their shares, how old that is')
    .option('--json', 'prints JSON')
    .action((options: { json?: boolean }) =>
      withCells(async (cells) => {
        const summary = await cells.discovery.summary();
        if (options.json) printJson(summary);
        else process.stdout.write(draw(summary));
      }),
    );
}

function draw({ mapVersion, ageSeconds, unassignedBuckets, exceptions, cells }: MapSummary): string {
  const rows = cells.flatMap((cell) => [
    [cell.name, cell.state, cell.dataCenter, percent(cell.share), ageOf(cell)],
    ...cell.members.map((member) => [
      `  ${member.name}`,
      member.state,
      member.url,
      percent(member.share),
      member.version,
    ]),
  ]);
  const facts = [
    `map ${mapVersion}${ageSeconds > 0 ? `, told from memory for ${ageSeconds.toFixed(0)} s` : ''}`,
    `${unassignedBuckets} buckets are in no cell`,
    `${exceptions} keys are not in the cell of their bucket`,
  ];
  const table = formatTable(['CELL', 'STATE', 'WHERE', 'SHARE', ''], rows);
  return `${table}${facts.join('; ')}.\n`;
}

function ageOf({ current, ageSeconds, problem }: CellSummary): string {
  return current
    ? ''
    : `its ring is told from memory for ${ageSeconds.toFixed(0)} s: ${problem ?? 'unknown'}`;
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
