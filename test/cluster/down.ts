// `npm run cluster:down`: ends the cluster that `npm run cluster` made, with everything on it. A cluster that KUBECONFIG
// names stays as it is.
import { say } from '../../images/progress.ts';
import { findCluster } from './cluster.ts';
import { downPrivate } from './private-cluster.ts';

try {
  const cluster = await findCluster();
  // Also when it has ended by itself: something may be left of it.
  if (cluster) await cluster.down();
  else await downPrivate();
  say(
    cluster?.kind === 'foreign'
      ? 'the cluster of KUBECONFIG is left alone'
      : 'nothing is left of the cluster',
  );
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
