import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../runtime/resources.ts';
import type { NetworkPolicy } from './manifests.ts';
import { COMPONENT } from './owner.ts';
import { cellChildren, platformChildren } from './testing.ts';

type Labels = Record<string, string>;
/** Who calls and who is called: `cell/app-server`, `platform/web`, `operator`, `the world`. */
type Pod = { name: string; namespace: string; labels: Labels };

const NAMESPACE = 'cellpost';

const platform = await platformChildren();
const local = await cellChildren('samples/cell-a.yaml');
const hdfs = await cellChildren('samples-hdfs/cell-c.yaml');

const isPolicy = (object: KubeObject): object is NetworkPolicy => object.kind === 'NetworkPolicy';

/** One pod of each StatefulSet and Deployment. */
function podsOf(prefix: string, objects: KubeObject[]): Pod[] {
  return objects.flatMap((object) => {
    if (!('spec' in object)) return [];
    const { template } = object.spec as { template?: { metadata: { labels: Labels } } };
    if (!template) return [];
    const { labels } = template.metadata;
    return [{ name: `${prefix}/${labels[COMPONENT]}`, namespace: NAMESPACE, labels }];
  });
}

const OPERATOR: Pod = {
  name: 'operator',
  namespace: NAMESPACE,
  labels: { 'app.kubernetes.io/name': 'cellpost', [COMPONENT]: 'operator' },
};
const WORLD: Pod = { name: 'the world', namespace: 'elsewhere', labels: {} };

const matches = (labels: Labels, wanted: Labels | undefined): boolean =>
  Object.entries(wanted ?? {}).every(([key, value]) => labels[key] === value);

/** The ports of `to` that `from` reaches; undefined: no policy speaks of `to`, so all of them. */
function portsOf(policies: NetworkPolicy[], from: Pod, to: Pod): number[] | undefined {
  const own = policies.filter(
    ({ metadata, spec }) =>
      (metadata.namespace ?? NAMESPACE) === to.namespace && matches(to.labels, spec.podSelector.matchLabels),
  );
  if (own.length === 0) return undefined;
  const ports = own.flatMap(({ spec }) =>
    spec.ingress
      .filter(
        (rule) =>
          !rule.from ||
          rule.from.some(({ podSelector, namespaceSelector }) => {
            const home = namespaceSelector
              ? matches({ 'kubernetes.io/metadata.name': from.namespace }, namespaceSelector.matchLabels)
              : from.namespace === to.namespace;
            return home && matches(from.labels, podSelector?.matchLabels);
          }),
      )
      .flatMap((rule) => rule.ports.map(({ port }) => port)),
  );
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** By who is called: `ports from callers`, in no order of callers. Doors that all may call are told as such. */
function allowed(pods: Pod[], policies: NetworkPolicy[]): Record<string, string[]> {
  const callers = [...pods, OPERATOR, WORLD];
  const table: Record<string, string[]> = {};
  for (const to of pods) {
    const byPort = new Map<number, string[]>();
    for (const from of callers) {
      const ports = portsOf(policies, from, to);
      assert.ok(ports, `a policy speaks of ${to.name}`);
      for (const port of ports) byPort.set(port, [...(byPort.get(port) ?? []), from.name]);
    }
    table[to.name] = [...byPort]
      .sort(([a], [b]) => a - b)
      .map(([port, names]) => {
        const who = names.length === callers.length ? 'all' : names.toSorted().join(', ');
        return `${port} from ${who}`;
      });
  }
  return table;
}

const PLATFORM = {
  'platform/zookeeper': [
    '2181 from platform/discovery, platform/zookeeper',
    '2888 from platform/zookeeper',
    '3888 from platform/zookeeper',
  ],
  'platform/discovery': [
    '8090 from operator, platform/discovery, platform/memcache-dirty, platform/mta-proxy, platform/user-index, platform/web',
  ],
  'platform/mta-proxy': ['2525 from all'],
  'platform/user-index': ['8083 from cell/app-server, platform/web'],
  'platform/memcached': ['11211 from platform/memcache-dirty'],
  'platform/memcache-dirty': ['8084 from platform/web'],
  'platform/web': ['8080 from all'],
};
const APP_SERVERS = [
  '8081 from cell/app-server, operator, platform/discovery, platform/memcache-dirty, platform/mta-proxy, platform/user-index, platform/web',
];

test('pods are called by whom the design lets call them, with HBase in one pod', () => {
  const pods = [...podsOf('platform', platform), ...podsOf('cell', local)];
  assert.deepEqual(allowed(pods, [...platform, ...local].filter(isPolicy)), {
    ...PLATFORM,
    'cell/zookeeper': [
      '2181 from cell/app-server, cell/hbase, cell/zookeeper, operator, platform/discovery',
      '2888 from cell/zookeeper',
      '3888 from cell/zookeeper',
    ],
    'cell/hbase': [
      '8080 from operator',
      '16000 from cell/app-server, cell/hbase, operator',
      '16020 from cell/app-server, cell/hbase, operator',
    ],
    'cell/app-server': APP_SERVERS,
  });
});

test('pods are called by whom the design lets call them, with HBase on HDFS', () => {
  const pods = [...podsOf('platform', platform), ...podsOf('cell', hdfs)];
  assert.deepEqual(allowed(pods, [...platform, ...hdfs].filter(isPolicy)), {
    ...PLATFORM,
    'cell/zookeeper': [
      '2181 from cell/app-server, cell/hbase-master, cell/hbase-rest, cell/name-node, cell/region-server, cell/zookeeper, operator, platform/discovery',
      '2888 from cell/zookeeper',
      '3888 from cell/zookeeper',
    ],
    'cell/journal-node': [
      '8480 from cell/journal-node, cell/name-node, operator',
      '8485 from cell/journal-node, cell/name-node',
    ],
    'cell/name-node': [
      '8019 from cell/name-node, operator',
      '8020 from cell/data-node, cell/hbase-master, cell/name-node, cell/region-server, operator',
      '9870 from cell/journal-node, cell/name-node, operator',
    ],
    'cell/data-node': [
      '9864 from operator',
      '9866 from cell/data-node, cell/hbase-master, cell/region-server',
      '9867 from cell/data-node, cell/hbase-master, cell/region-server',
    ],
    'cell/hbase-master': [
      '16000 from cell/app-server, cell/hbase-master, cell/hbase-rest, cell/region-server, operator',
      '16010 from operator',
    ],
    'cell/region-server': [
      '16020 from cell/app-server, cell/hbase-master, cell/hbase-rest, cell/region-server, operator',
      '16030 from operator',
    ],
    'cell/hbase-rest': ['8080 from operator'],
    'cell/app-server': APP_SERVERS,
  });
});
