import { Command } from 'commander';
import { TYPES } from '../../operator/runtime/resources.ts';
import type { Cell } from '../../operator/types.ts';
import { withKubernetes, type Kubernetes } from '../kubernetes.ts';
import { formatTable, printJson } from '../output.ts';
import { askServers } from '../plan/facts.ts';
import { lookAtLive, readManifest } from '../plan/live.ts';
import { preview, type Preview } from '../plan/preview.ts';

type Options = { namespace?: string; json?: boolean; file?: string };
/** `unasked`: servers that could not be asked how they fare. `waitsFor`: what the operator waits for just now. */
type Told = Preview & { unasked: string[]; waitsFor: string };

/** Who asks what a manifest would become; nothing is ever written in its name. */
const FIELD_MANAGER = 'cellctl-plan';

/** `cellctl plan CELL`, `cellctl plan -f cell.yaml`: what the operator does, or would do, to a cell; nothing is changed. */
export function planCommand(): Command {
  return new Command('plan')
    .description(
      'tells which pods of a cell are made anew, in order, what else changes, which gates are shut and how long it takes; changes nothing',
    )
    .argument('[cell]', 'its name; the one in the file when absent')
    .option('-f, --file <file>', 'a Cell as it would be applied (YAML or JSON; - for standard input)')
    .option('-n, --namespace <namespace>', "its namespace; the kubeconfig's when absent")
    .option('--json', 'prints JSON')
    .action((name: string | undefined, options: Options) =>
      withKubernetes(async (kubernetes) => {
        const told = await plan(kubernetes, name, options);
        if (options.json) printJson(told);
        else process.stdout.write(inWords(told));
      }),
    );
}

async function plan(kubernetes: Kubernetes, name: string | undefined, options: Options): Promise<Told> {
  const { api } = kubernetes;
  const manifest = options.file === undefined ? undefined : await readManifest(options.file);
  const wanted = name ?? manifest?.metadata.name;
  if (wanted === undefined) throw new Error('Name a cell, or a file with -f.');
  if (manifest && manifest.metadata.name !== wanted)
    throw new Error(`The file holds cell ${manifest.metadata.name}, not ${wanted}.`);
  const namespace = options.namespace ?? manifest?.metadata.namespace ?? kubernetes.namespace;
  const at = { name: wanted, namespace };
  const live = await api.get<Cell>(TYPES.cell, at);
  if (!live && !manifest) throw new Error(`There is no cell ${wanted} in namespace ${namespace}.`);
  // The API server's word: with its defaults, and its refusals.
  const after = manifest && (await api.tryApply<Cell>({ ...manifest, metadata: at }, FIELD_MANAGER));
  const cell = live ?? after;
  if (!cell) throw new Error(`There is no cell ${wanted} in namespace ${namespace}.`);
  const seen = await lookAtLive(api, cell);
  const { facts, unasked } = await askServers(kubernetes, seen);
  return {
    ...preview(seen, after?.spec ?? cell.spec, facts, new Date()),
    unasked,
    waitsFor: live?.status?.blockedBy ?? '',
  };
}

function inWords(told: Told): string {
  const { cell, members, more, fewer, made, gates, seconds, unasked, waitsFor } = told;
  const parts: string[] = [];
  if (made.length > 0) parts.push(`Made: ${made.join(', ')}.\n`);
  if (members.length > 0) {
    const rows = members.map((one, index) => [
      String(index + 1),
      one.pod,
      one.leads ? `${one.role} (leads)` : one.role,
      one.ready ? 'ready' : 'not ready',
      `${one.seconds} s`,
      one.why,
    ]);
    parts.push(formatTable(['', 'POD', 'ROLE', 'STATE', 'ABOUT', 'WHY'], rows));
    parts.push(`Made anew one after the other, in about ${seconds} s if every gate is open.\n`);
  }
  for (const { role, from, to } of more) parts.push(`More pods of ${role}: ${from} now, ${to} then.\n`);
  if (fewer.length > 0)
    parts.push(`Go for good, one after the other: ${fewer.map(({ pod }) => pod).join(', ')}.\n`);
  if (parts.length === 0) parts.push(`All pods of cell ${cell} run what they should.\n`);
  for (const gate of gates) parts.push(`Shut now: ${gate}\n`);
  if (waitsFor !== '') parts.push(`The operator waits for: ${waitsFor}\n`);
  if (unasked.length > 0)
    parts.push(
      `Could not be asked, so that gates may be shut and leaders go last besides: ${unasked.join(', ')}.\n`,
    );
  return parts.join('');
}
