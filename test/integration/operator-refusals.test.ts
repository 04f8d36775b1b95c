// What a Cell may not be: the CRD's schema and rules say so in a sentence, at kubectl apply. No operator runs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startApiServer, type ApiServer } from '../real/apiserver.ts';
import { installCrds } from '../support/operator-set-up.ts';

let server: ApiServer;

before(async () => {
  server = await startApiServer();
  await installCrds(server);
});

after(() => server?.close());

const applyCell = (name: string, spec: unknown = {}): Promise<string> =>
  server.apply({
    apiVersion: 'cellpost.dev/v1alpha1',
    kind: 'Cell',
    metadata: { name, namespace: 'default' },
    spec,
  });

async function assertRefused(name: string, spec: unknown, sentence: RegExp): Promise<void> {
  await assert.rejects(applyCell(name, spec), (error: { stderr?: string }) => {
    assert.match(error.stderr ?? '', sentence);
    return true;
  });
}

const REFUSED: [string, unknown, RegExp][] = [
  ['two ZooKeeper servers', { zookeeper: { replicas: 2 } }, /must be 1, 3, 5 or 7/],
  ['minus one app servers', { appServers: { replicas: -1 } }, /greater than or equal to 0/],
  ['no tokens', { appServers: { tokens: 0 } }, /greater than or equal to 1/],
  ['1025 tokens', { appServers: { tokens: 1025 } }, /less than or equal to 1024/],
  ['an unknown state', { state: 'Asleep' }, /Unsupported value: "Asleep"/],
  ['HDFS without its servers', { hbase: { storage: 'HDFS' } }, /storage HDFS needs it/],
  [
    'more copies than DataNodes',
    { hbase: { storage: 'HDFS', hdfs: { replication: 4 } } },
    /replication may not be above hbase\.hdfs\.dataNodes\.replicas/,
  ],
  [
    'two JournalNodes',
    { hbase: { storage: 'HDFS', hdfs: { journalNodes: { replicas: 2 } } } },
    /journalNodes\.replicas must be 3, 5 or 7/,
  ],
  ['a size that is none', { zookeeper: { storage: { size: 'lots' } } }, /must be a quantity above zero/],
  ['a size of nothing', { hbase: { volume: { size: '0' } } }, /must be a quantity above zero/],
  [
    'too little memory',
    { appServers: { resources: { limits: { memory: '64Mi' } } } },
    /appServers\.resources\.limits\.memory must be at least 256Mi/,
  ],
  [
    'a cache above the memory',
    { appServers: { cacheBytes: 629_145_600 } },
    /at most half of resources\.limits\.memory/,
  ],
  [
    'a heap of its own',
    { zookeeper: { jvm: { options: ['-XX:MaxHeapSize=1g'] } } },
    /jvm\.options may not set the heap/,
  ],
  ['no option for a JVM', { hbase: { master: { jvm: { options: ['-Xmx1g'] } } } }, /should match/],
  [
    'requests above limits',
    { hbase: { rest: { resources: { requests: { memory: '1Gi' }, limits: { memory: '512Mi' } } } } },
    /requests\.memory may not be above limits\.memory/,
  ],
];

for (const [what, spec, sentence] of REFUSED) {
  test(`kubectl apply of a cell with ${what} is refused with a sentence`, async () => {
    await assertRefused('refused', spec, sentence);
  });
}

test('what can not change later is refused with a sentence', async () => {
  await applyCell('fixed');
  const changes: [unknown, RegExp][] = [
    [{ zookeeper: { storage: { size: '512Mi' } } }, /Volumes can't shrink/],
    [{ hbase: { volume: { size: '9Gi' } } }, /Volumes can't shrink/],
    [{ hbase: { volume: { size: '20Gi', className: 'fast' } } }, /The StorageClass can't change/],
    [{ hbase: { regions: 8 } }, /hbase\.regions can't change once the table is made/],
    [{ platform: { name: 'other' } }, /A cell can't move to another platform/],
  ];
  for (const [spec, sentence] of changes) await assertRefused('fixed', spec, sentence);
});

test('a cell of an impossible name is refused with a sentence', async () => {
  for (const name of ['9a', 'a.b', 'a'.repeat(31)])
    await assertRefused(name, {}, /A cell's name has at most 30/);
});
