// `npm run cluster`: a Kubernetes with Cellpost on it. With `-- --only-kubernetes` nothing is installed, with
// `-- --no-samples` no cell is made; what follows `-- --` goes to helm.
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { say } from '../../images/progress.ts';
import { ensureCluster, type Cluster } from './cluster.ts';
import { applySamples, installChart, NAMESPACE, runImages, untilCellsReady } from './install.ts';

const { values, positionals } = parseArgs({
  options: { 'only-kubernetes': { type: 'boolean' }, 'no-samples': { type: 'boolean' } },
  allowPositionals: true,
});

try {
  const cluster = await ensureCluster({ images: !values['only-kubernetes'] });
  if (!values['only-kubernetes']) {
    const images = await cluster.loadImages();
    await installChart(cluster, images, positionals);
    if (!values['no-samples']) {
      await applySamples(cluster);
      await runImages(cluster, images);
      await untilCellsReady(cluster);
    }
  }
  say('done');
  tell(cluster);
} catch (error) {
  for (let at: unknown = error; at instanceof Error; at = at.cause) process.stderr.write(`${at.message}\n`);
  process.exitCode = 1;
}

function tell(cluster: Cluster): void {
  const kubectl =
    cluster.kind === 'private'
      ? join(dirname(cluster.kubeconfig), 'kubectl')
      : `KUBECONFIG=${cluster.kubeconfig} kubectl`;
  const inPod = `${kubectl} -n ${NAMESPACE} exec -i deployment/cellpost-web --`;
  process.stdout.write(`
  ${kubectl} -n ${NAMESPACE} get cells,platforms,pods
  printf demo | ${inPod} node cli/cellctl.ts user add alice@cellpost.test
  ${kubectl} -n ${NAMESPACE} port-forward service/cellpost-web 8080:80
  npm run cluster:down
`);
}
