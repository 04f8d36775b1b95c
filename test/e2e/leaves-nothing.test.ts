import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterMissing, ensureCluster, findCluster } from '../cluster/cluster.ts';
import { leftovers } from '../cluster/leftovers.ts';
import { until } from '../support/wait.ts';

const POD_TIMEOUT_MS = 180_000;

const missing = await clusterMissing();
const skip = missing ?? ((await findCluster()) ? 'a cluster runs, which stays' : false);

/** A pod that has a volume, an address and a name. */
const withVolume = (image: string): string => `apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: v1
kind: Pod
metadata: { name: pause }
spec:
  containers: [{ name: pause, image: "${image}", volumeMounts: [{ name: data, mountPath: /data }] }]
  volumes: [{ name: data, persistentVolumeClaim: { claimName: data } }]
`;

test('a cluster that has ended leaves nothing on the machine', { skip }, async () => {
  const before = await leftovers();
  const cluster = await ensureCluster({ images: false });
  try {
    if (cluster.kind === 'private') {
      const images = await cluster.inside(['ctr', '-n', 'k8s.io', 'images', 'ls', '-q']);
      const pause = images.split('\n').find((name) => name.includes('/pause:')) ?? '';
      await cluster.kubectl(['apply', '-f', '-'], { input: withVolume(pause) });
      await cluster.kubectl(['wait', '--for=condition=Ready', 'pod/pause', '--timeout=170s'], {
        timeoutMs: POD_TIMEOUT_MS,
      });
      const during = await leftovers();
      assert.ok(during.processes.length >= 8, 'the survey sees the components');
      assert.ok(during.controlGroups.length > 0, 'the survey sees control groups');
    }
    await cluster.down();
    // A killed process is listed until its parent has taken note.
    await until(async () => (await leftovers()).processes.length === before.processes.length, {
      timeoutMs: 10_000,
      what: 'the end of all processes',
    });
    assert.deepEqual(await leftovers(), before);
    assert.equal(await findCluster(), undefined);
  } finally {
    await cluster.down();
  }
});
