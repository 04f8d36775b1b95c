// What `cellctl top` prints: the console's answer as tables.
import type { CellView, LoadView, ProcessView } from '../workloads/console/load-view.ts';
import { formatTable } from './output.ts';

/** What the first of the tables begins with; what is above them are sentences. */
export const FIRST_COLUMN = 'CELL';
const SHOWN_FINDINGS = 5;
const SHOWN_USERS = 10;

export function topText(view: LoadView): string {
  const { totals, stages, users } = view;
  const used = stages.filter(({ perSecond, usualMs }) => perSecond > 0 || usualMs !== null);
  return [
    `${clock(view.at)}  ${rate(totals.requestsPerSecond)} requests/s, ${rate(totals.errorsPerSecond)} errors/s, ` +
      `${rate(totals.appendsPerSecond)} entries/s, p50 ${ms(totals.p50Ms)} ms, p99 ${ms(totals.p99Ms)} ms\n`,
    findingsText(view),
    formatTable(
      [
        FIRST_COLUMN,
        'PROCESS',
        'STATE',
        '>SHARE',
        '>REQ/S',
        '>ERR/S',
        '>P99 MS',
        '>CPU',
        '>LAG MS',
        '>MEMORY',
        '>QUEUE',
      ],
      [...view.cells.flatMap(cellRows), ...view.services.map((process) => processRow('', process))],
    ),
    formatTable(
      ['WORKLOAD', 'STAGE', '>/S', '>P50 MS', '>P99 MS', '>USUAL MS', 'SLOWEST'],
      used.map(({ workload, title, perSecond, p50Ms, p99Ms, usualMs, slowest }) => [
        workload,
        title,
        rate(perSecond),
        ms(p50Ms),
        ms(p99Ms),
        ms(usualMs),
        slowest ?? '',
      ]),
    ),
    formatTable(
      ['USER', 'CELL', '>REQ/MIN', '>KB/MIN', '>ENTRIES/MIN'],
      users
        .slice(0, SHOWN_USERS)
        .map(({ userId, cell, requests, bytes, appends }) => [
          userId ?? '?',
          cell,
          String(Math.round(requests)),
          (bytes / 1e3).toFixed(1),
          String(Math.round(appends)),
        ]),
    ),
  ].join('\n');
}

function findingsText({ findings, map }: LoadView): string {
  const lines = findings.map(({ process, text, since }) => `${process}: ${text}, since ${clock(since)}`);
  const shown = lines.slice(0, SHOWN_FINDINGS);
  if (lines.length > shown.length) shown.push(`and ${lines.length - shown.length} more`);
  if (map.problem !== null) shown.push(`Discovery does not answer: ${map.problem}`);
  return `${(shown.length === 0 ? ['Nothing is saturated.'] : shown).join('\n')}\n`;
}

function cellRows(cell: CellView): string[][] {
  const { name, state, share, requestsPerSecond, errorsPerSecond, p99Ms, nodes } = cell;
  const own = [name, '', state, percent(share), rate(requestsPerSecond), rate(errorsPerSecond), ms(p99Ms)];
  return [own, ...nodes.map((node) => processRow(name, node))];
}

function processRow(cell: string, process: ProcessView): string[] {
  const { queue } = process;
  return [
    cell,
    process.name,
    process.state,
    process.share === null ? '' : percent(process.share),
    rate(process.requestsPerSecond),
    rate(process.errorsPerSecond),
    ms(process.p99Ms),
    process.cpuCores === null ? '-' : percent(process.cpuCores),
    ms(process.lagMs),
    process.memoryBytes === null ? '-' : `${Math.round(process.memoryBytes / 1e6)} MB`,
    queue ? `${queue.name} ${queue.depth}${queue.limit === null ? '' : `/${queue.limit}`}` : '',
  ];
}

const rate = (value: number): string => (value < 0.05 ? '0' : value.toFixed(value < 10 ? 1 : 0));
const ms = (value: number | null): string => (value === null ? '-' : value.toFixed(value < 10 ? 1 : 0));
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)}%`;
/** Local time, as the terminal's user has it. */
const clock = (iso: string): string => new Date(iso).toLocaleTimeString('en-GB');
