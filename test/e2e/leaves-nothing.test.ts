// Last of its suite by its order in test/run.ts: ends the cluster that the others used.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterMissing, ensureCluster, findCluster } from '../cluster/cluster.ts';
import { leftovers } from '../cluster/leftovers.ts';
import { downPrivate } from '../cluster/private-cluster.ts';
import { othersClusterRuns, takeBefore } from './support/installed.ts';

const skip =
  (await clusterMissing()) ??
  ((await othersClusterRuns()) ? 'a cluster runs that is not the tests own' : false);

test('a cluster that has ended leaves nothing on the machine', { skip }, async () => {
  const before = (await takeBefore()) ?? (await leftovers());
  const cluster = (await findCluster()) ?? (await ensureCluster({ images: false }));
  try {
    const during = await leftovers();
    if (cluster.kind === 'private') assert.ok(during.processes.length > 5, 'the survey sees processes');
    await cluster.down();
    assert.deepEqual(await leftovers(), before);
    assert.equal(await findCluster(), undefined);
  } finally {
    if (cluster.kind === 'private') await downPrivate();
  }
});
