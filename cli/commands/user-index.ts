import { Command } from 'commander';
import { loadEdgeList } from '../../workloads/user-index/edge-list.ts';
import { saveBase } from '../../workloads/user-index/base-snapshot.ts';
import { withBlobs } from '../connect.ts';
import { printJson } from '../output.ts';
import { withProgress } from '../progress.ts';

/** `cellctl user-index load FILE`: an edge list in place of the one before; the replicas of the user index take it up by themselves. */
export function userIndexCommand(): Command {
  const command = new Command('user-index').description('who is a friend of whom');
  command
    .command('load')
    .description(
      'stores an edge list, in place of the one before: two user ids a line; what users’ logs say overrules it. The index takes it up within seconds',
    )
    .argument('<file>', 'text or gzip')
    .option('--json', 'prints JSON')
    .action((file: string, options: { json?: boolean }) =>
      withBlobs(async (blobs) => {
        const graph = await withProgress('reading', 'bytes', options, ({ set }) => loadEdgeList(file, set));
        const users = graph.ids.size;
        const edges = graph.base.targets.length / 2;
        await withProgress('storing', 'bytes', options, (progress) => {
          progress.total(graph.base.targets.byteLength);
          return saveBase(blobs, graph, (bytes) => progress.add(bytes));
        });
        if (options.json) printJson({ users, edges });
        else process.stdout.write(`${users} users, ${edges} friendships.\n`);
      }),
    );
  return command;
}
