import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CellWork } from '../steps.ts';
import { restDataNode, wakeDataNode } from './data-nodes.ts';
import { cedeNameNode } from './name-nodes.ts';
import type { StorageFacts } from './storage-gates.ts';

// HDFS is steered here: what it says when, and an operator that starts in the middle. The cluster suite has a real one.
const NOW = new Date('2026-01-01T00:00:00Z');

class Hdfs {
  /** What the status says, and so the NameNodes' file. */
  status: CellWork['marks']['resting'];
  /** Who rests as each NameNode knows it. */
  readonly known = new Map([
    ['c-nn-0', ''],
    ['c-nn-1', ''],
  ]);
  active = 'c-nn-0';
  rolled: string[] = [];
  refreshed = 0;
  patched: string[] = [];

  facts(): StorageFacts {
    const of = (pod: string) => ({
      active: pod === this.active,
      safeMode: false,
      short: 0,
      missing: 0,
      leaving: 0,
      resting: this.known.get(pod) === '' ? 0 : 1,
    });
    return {
      nameNodes: new Map([...this.known.keys()].map((pod) => [pod, of(pod)])),
      masters: new Map([
        ['c-hm-0', { active: true, regionsInTransition: 0, regionServers: ['rs-0,16020,1'] }],
      ]),
      wantedRegionServers: 1,
    };
  }

  /** An operator that has just started: all it knows is in the status. */
  work(): CellWork {
    const podOf = (host: string): string => host.split('.', 1)[0] ?? '';
    const storage = {
      nameNode: async (host: string) => this.facts().nameNodes.get(podOf(host)),
      dataNodes: async (host: string) => {
        const stateOf = (pod: string) =>
          this.known.get(podOf(host)) === pod ? 'In Maintenance' : 'In Service';
        return new Map(
          ['c-dn-0', 'c-dn-1'].map((pod) => [pod, { state: stateOf(pod), usedBytes: 0, freeBytes: 0 }]),
        );
      },
      refreshNodes: async (host: string) => {
        this.refreshed++;
        this.known.set(podOf(host), this.status?.pod ?? '');
      },
      rollLogs: async (servers: string[]) => void this.rolled.push(...servers),
      failOver: async (host: string) => void (this.active = podOf(host)),
    };
    const pods = { get: (_namespace: string, name: string) => ({ metadata: { name } }) };
    const api = { patch: async (_type: unknown, { name }: { name: string }) => void this.patched.push(name) };
    const hdfs = { dataNodes: { replicas: 2 }, nameNodes: { replicas: 2 } };
    return {
      world: { outside: { storage }, caches: { pods }, api },
      context: { owner: { kind: 'Cell', name: 'c', namespace: 'mail', uid: 'u' } },
      cell: { spec: { hbase: { hdfs } }, status: { resting: this.status } },
      asked: { hbase: { hdfs } },
      marks: { resting: this.status },
      now: NOW,
    } as unknown as CellWork;
  }

  /** What a reconcile leaves in the status. */
  async reconcile(work: (cell: CellWork) => Promise<string | undefined>): Promise<string | undefined> {
    const cell = this.work();
    const waits = await work(cell);
    this.status = cell.marks.resting;
    return waits;
  }
}

test('a DataNode rests by the status first, then by all NameNodes, then region servers go on without it', async () => {
  const hdfs = new Hdfs();
  const rest = () => hdfs.reconcile((work) => restDataNode(work, 1, hdfs.facts()));
  assert.equal(await rest(), 'It must be written to the status that c-dn-1 rests.');
  assert.deepEqual(hdfs.status, { pod: 'c-dn-1', until: '2026-01-01T00:10:00Z' });
  assert.equal(hdfs.refreshed, 0);
  assert.equal(await rest(), undefined);
  assert.deepEqual([...hdfs.known.values()], ['c-dn-1', 'c-dn-1']);
  assert.deepEqual(hdfs.patched, ['c-nn-0', 'c-nn-1'], 'their files were brought up to date');
  assert.deepEqual(hdfs.rolled, ['rs-0,16020,1']);
});

test('it is put back to service before another pod goes, and at the end, by whichever operator', async () => {
  const hdfs = new Hdfs();
  hdfs.status = { pod: 'c-dn-1', until: '2026-01-01T00:10:00Z' };
  for (const pod of hdfs.known.keys()) hdfs.known.set(pod, 'c-dn-1');
  const wake = (next?: string) => hdfs.reconcile((work) => wakeDataNode(work, hdfs.facts(), next));
  assert.equal(await wake('c-dn-1'), undefined, 'it is its turn');
  assert.ok(hdfs.status);
  assert.equal(await wake('c-dn-0'), 'It must be written to the status that c-dn-1 is back.');
  assert.equal(hdfs.status, undefined);
  assert.equal(await wake('c-dn-0'), undefined);
  assert.deepEqual([...hdfs.known.values()], ['', '']);
  const refreshed = hdfs.refreshed;
  assert.equal(await wake(), undefined);
  assert.equal(hdfs.refreshed, refreshed, 'who rests nowhere needs not be woken');
});

test('the active NameNode cedes; a standby goes as it is', async () => {
  const hdfs = new Hdfs();
  const cede = (ordinal: number) => cedeNameNode(hdfs.work(), ordinal, hdfs.facts());
  assert.equal(await cede(1), undefined);
  assert.equal(hdfs.active, 'c-nn-0');
  assert.equal(await cede(0), undefined);
  assert.equal(hdfs.active, 'c-nn-1');
  hdfs.known.delete('c-nn-0');
  assert.equal(await cede(1), undefined, 'nobody is there to cede to');
  assert.equal(hdfs.active, 'c-nn-1');
});
