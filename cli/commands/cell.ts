import { Command } from 'commander';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import type { CellRecord } from '../../workloads/common/cell-client/directory-messages.ts';
import { assertCell } from '../assert-cell.ts';
import { withCells } from '../connect.ts';
import { formatTable, printJson } from '../output.ts';

type State = CellRecord['state'];
/** A platform whose cells are processes can't hibernate: nobody would start them again. */
const CHANGES: readonly { verb: string; state: State; what: string }[] = [
  { verb: 'enable', state: 'Enabled', what: 'lets a cell serve and take new users' },
  { verb: 'drain', state: 'Draining', what: 'lets a cell serve its users and take no new ones' },
  {
    verb: 'disable',
    state: 'Disabled',
    what: 'takes a cell out of service: its users are told to come back',
  },
];

/** `cellctl cell list | enable | drain | disable`: what the map says of cells. */
export function cellCommand(): Command {
  const command = new Command('cell').description('cells of the platform');
  command
    .command('list')
    .description('lists the cells: state, data center, buckets of users, app servers that serve')
    .option('--json', 'prints JSON')
    .action((options: { json?: boolean }) => withCells((cells) => list(cells, options)));
  for (const { verb, state, what } of CHANGES) {
    command
      .command(verb)
      .description(what)
      .argument('<cell>', 'its name')
      .option('--json', 'prints JSON')
      .action((name: string, options: { json?: boolean }) =>
        withCells((cells) => become(cells, name, state, options)),
      );
  }
  return command;
}

async function list(cells: Cells, { json }: { json?: boolean }): Promise<void> {
  const [records, map, nodes] = await Promise.all([
    cells.cellRecords(),
    cells.discovery.map(),
    cells.nodes(),
  ]);
  const counts = map.counts();
  const rows = records.map(({ name, state, dataCenter }) => ({
    name,
    state,
    dataCenter,
    buckets: counts.get(name) ?? 0,
    serving: nodes.filter((node) => node.cell === name && node.state === 'serving').length,
  }));
  if (json) return printJson(rows);
  process.stdout.write(
    formatTable(
      ['CELL', 'STATE', 'DATA CENTER', 'BUCKETS', 'SERVING'],
      rows.map((row) => [row.name, row.state, row.dataCenter, String(row.buckets), String(row.serving)]),
    ),
  );
}

async function become(cells: Cells, name: string, state: State, { json }: { json?: boolean }): Promise<void> {
  if (process.env.KUBERNETES_SERVICE_HOST !== undefined)
    throw new Error(
      `In Kubernetes the operator says what cells are: kubectl patch cell ${name} --type merge -p '{"spec":{"state":"${state}"}}'`,
    );
  await assertCell(cells, name);
  const record = (await cells.cellRecords()).find((one) => one.name === name);
  if (!record) throw new Error(`Cell ${name} has just been forgotten.`);
  await cells.putCell(name, { state, dataCenter: record.dataCenter, coordination: record.coordination });
  if (json) printJson({ name, state });
  else process.stdout.write(`Cell ${name} is ${state}.\n`);
}
