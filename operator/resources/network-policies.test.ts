import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../runtime/resources.ts';
import type { PlatformSpec } from '../types.ts';
import { callTo, callToNameServer } from './egress.ts';
import type { NetworkPolicy, Peer } from './manifests.ts';
import { namesIn, readTable } from './network-page.ts';
import { COMPONENT } from './owner.ts';
import { cellChildren, platformChildren } from './testing.ts';

type Labels = Record<string, string>;
/** Who calls and who is called: `cell/app-server`, `platform/web`, `operator`, `the world`. */
type Pod = { name: string; owner: string; namespace: string; labels: Labels };

const NAMESPACE = 'cellpost';

const platform = await platformChildren();
const local = await cellChildren('samples/cell-a.yaml');
const hdfs = await cellChildren('samples-hdfs/cell-c.yaml');

const isPolicy = (object: KubeObject): object is NetworkPolicy => object.kind === 'NetworkPolicy';

/** One pod of each StatefulSet and Deployment. */
function podsOf(kind: 'platform' | 'cell', objects: KubeObject[]): Pod[] {
  return objects.flatMap((object) => {
    if (!('spec' in object)) return [];
    const { template } = object.spec as { template?: { metadata: { labels: Labels } } };
    if (!template) return [];
    const { labels } = template.metadata;
    const owner = labels[`cellpost.dev/${kind}`] ?? '';
    return [{ name: `${kind}/${labels[COMPONENT]}`, owner, namespace: NAMESPACE, labels }];
  });
}

const OPERATOR: Pod = {
  name: 'operator',
  owner: '',
  namespace: NAMESPACE,
  labels: { 'app.kubernetes.io/name': 'cellpost', [COMPONENT]: 'operator' },
};
const WORLD: Pod = { name: 'the world', owner: '', namespace: 'elsewhere', labels: {} };
const PODS = [...podsOf('platform', platform), ...podsOf('cell', local), ...podsOf('cell', hdfs)];
const POLICIES = [...platform, ...local, ...hdfs].filter(isPolicy);

const matches = (labels: Labels, wanted: Labels | undefined): boolean =>
  Object.entries(wanted ?? {}).every(([key, value]) => labels[key] === value);

const policiesOf = (policies: NetworkPolicy[], pod: Pod): NetworkPolicy[] =>
  policies.filter(
    ({ metadata, spec }) =>
      (metadata.namespace ?? NAMESPACE) === pod.namespace &&
      matches(pod.labels, spec.podSelector.matchLabels),
  );

/** @param home the namespace of the policy */
const isOne = (pod: Pod, home: string, { podSelector, namespaceSelector }: Peer): boolean =>
  (namespaceSelector
    ? matches({ 'kubernetes.io/metadata.name': pod.namespace }, namespaceSelector.matchLabels)
    : pod.namespace === home) && matches(pod.labels, podSelector?.matchLabels);

const tcp = (ports: { port: number; protocol: string }[]): number[] =>
  ports.filter(({ protocol }) => protocol === 'TCP').map(({ port }) => port);
const sorted = (ports: Iterable<number>): number[] => [...new Set(ports)].sort((a, b) => a - b);

/** The ports at which a pod lets another in. */
function letsIn(policies: NetworkPolicy[], to: Pod, from: Pod): number[] {
  const own = policiesOf(policies, to);
  assert.ok(own.length > 0, `a policy speaks of ${to.name}`);
  return sorted(
    own.flatMap(({ spec }) =>
      spec.ingress
        .filter((rule) => !rule.from || rule.from.some((one) => isOne(from, to.namespace, one)))
        .flatMap(({ ports }) => tcp(ports)),
    ),
  );
}

/** The ports at which a pod may call another that its policy knows by its labels. */
function mayCall(policies: NetworkPolicy[], from: Pod, to: Pod): number[] {
  return sorted(
    policiesOf(policies, from).flatMap(({ spec }) => {
      assert.ok(spec.policyTypes.includes('Egress') && spec.egress, `${from.name} is restricted`);
      return spec.egress
        .filter((rule) => rule.to?.some((one) => one.podSelector && isOne(to, from.namespace, one)))
        .flatMap(({ ports }) => tcp(ports));
    }),
  );
}

type Edges = Record<string, number[]>;
function add(edges: Edges, from: string, to: string, ports: number[]): void {
  const name = `${from} → ${to}`;
  if (ports.length > 0) edges[name] = sorted([...(edges[name] ?? []), ...ports]);
}

const worlds = new Map(PODS.map((pod) => [pod, letsIn(POLICIES, pod, WORLD)]));
/** Without what is open to the world. */
const ownPorts = (to: Pod, ports: number[]): number[] =>
  ports.filter((port) => !worlds.get(to)?.includes(port));

test('pods reach whom the page says, and nobody else', async () => {
  const edges: Edges = {};
  for (const to of PODS) {
    add(edges, WORLD.name, to.name, worlds.get(to) ?? []);
    add(edges, OPERATOR.name, to.name, ownPorts(to, letsIn(POLICIES, to, OPERATOR)));
    for (const from of PODS) {
      const out = mayCall(POLICIES, from, to);
      const both = letsIn(POLICIES, to, from).filter((port) => out.includes(port));
      if (both.length > 0 && from.name.startsWith('cell/') && to.name.startsWith('cell/'))
        assert.equal(from.owner, to.owner, 'cells share nothing');
      add(edges, from.name, to.name, both);
    }
  }
  const drawn: Edges = {};
  for (const [from, to = '', ports] of await readTable('Pods')) {
    // Of the chart; its own test looks at it.
    if (to.startsWith('the chart')) continue;
    for (const one of namesIn(from)) add(drawn, one, to, namesIn(ports).map(Number));
  }
  assert.deepEqual(edges, drawn);
});

test('what one end lets through the other does, too', () => {
  for (const from of PODS)
    for (const to of PODS)
      assert.deepEqual(
        mayCall(POLICIES, from, to),
        ownPorts(to, letsIn(POLICIES, to, from)),
        `${from.name} of ${from.owner} → ${to.name} of ${to.owner}`,
      );
});

const BLOBS = 7070;
const TRACES = 4318;
const HOOK = 8787;
const NAME_SERVER = 5354;
const MEMCACHED = 11212;
const OUTSIDE: Record<string, number> = {
  'name servers: 53, UDP and TCP': 53,
  'the blob store: of `blobStore.s3.endpoint`': BLOBS,
  'who takes traces: of `tracing.endpoint`': TRACES,
  'the policy hook: of `mtaProxy.policy.url`': HOOK,
  'name servers: of `mtaProxy.authentication.dnsServers`': NAME_SERVER,
  'memcached: of `counts.memcached.servers`': MEMCACHED,
};

test('pods reach out of the cluster as the page says', async () => {
  const change = (spec: PlatformSpec): void => {
    spec.blobStore.s3.endpoint = `https://s3.example.org:${BLOBS}`;
    spec.tracing = { endpoint: `http://collector.monitoring.svc:${TRACES}`, percent: 100 };
    spec.mtaProxy.policy = { url: `http://hook.example.org:${HOOK}/ask` };
    spec.mtaProxy.authentication = { dnsServers: ['192.0.2.53', `192.0.2.54:${NAME_SERVER}`] };
    if (spec.counts) spec.counts.memcached.servers = [`cache.example.org:${MEMCACHED}`];
  };
  const policies = [
    ...(await platformChildren(change)),
    ...(await cellChildren('samples/cell-a.yaml', undefined, change)),
    ...(await cellChildren('samples-hdfs/cell-c.yaml', undefined, change)),
  ].filter(isPolicy);
  const seen = new Map<number, Set<string>>();
  for (const pod of PODS)
    for (const { spec } of policiesOf(policies, pod))
      for (const { to, ports } of spec.egress ?? [])
        if (!to?.some(({ podSelector }) => podSelector))
          for (const { port } of ports) seen.set(port, (seen.get(port) ?? new Set()).add(pod.name));
  const all = [...new Set(PODS.map(({ name }) => name))];
  const drawn = new Map(
    (await readTable('Out of the cluster')).map(([from = '', to = '', ports = '']) => {
      const port = OUTSIDE[`${to}: ${ports}`];
      assert.ok(port, `${to}: ${ports}`);
      const but = /^all but (.+)$/.exec(from)?.[1];
      return [port, but === undefined ? namesIn(from) : all.filter((name) => name !== but)];
    }),
  );
  const inOrder = (entries: Iterable<[number, Iterable<string>]>): [number, string[]][] =>
    [...entries].map(([port, names]): [number, string[]] => [port, [...names].toSorted()]);
  assert.deepEqual(
    inOrder(seen).toSorted(([a], [b]) => a - b),
    inOrder(drawn).toSorted(([a], [b]) => a - b),
  );
});

test('a platform may lift what its pods are restricted to, or add ports', async () => {
  const children = async (egress: PlatformSpec['egress']): Promise<NetworkPolicy[]> => {
    const change = (spec: PlatformSpec): void => {
      spec.egress = egress;
    };
    const cell = await cellChildren('samples-hdfs/cell-c.yaml', undefined, change);
    return [...(await platformChildren(change)), ...cell].filter(isPolicy);
  };
  for (const { spec } of await children({ restricted: false, ports: [] })) {
    assert.deepEqual(spec.policyTypes, ['Ingress']);
    assert.equal(spec.egress, undefined);
  }
  const more = {
    ports: [5353, 9000].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ port, protocol }))),
  };
  for (const { spec } of await children({ restricted: true, ports: [5353, 9000] }))
    assert.deepEqual(spec.egress?.at(-1), more);
});

test('an address is its port, and its namespace where it is a Service’s', () => {
  const inNamespace = (name: string, port: number): unknown => ({
    to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } }],
    ports: [port],
  });
  const domain = 'cluster.local';
  for (const url of ['http://s3.files.svc.cluster.local:9000', 'http://s3.files.svc:9000'])
    assert.deepEqual(callTo(url, domain), inNamespace('files', 9000));
  assert.deepEqual(callTo('https://s3.files.svc', domain), inNamespace('files', 443));
  assert.deepEqual(callTo('https://s3.example.org', domain), { ports: [443] });
  assert.deepEqual(callTo('http://s3.example.org', domain), { ports: [80] });
  assert.deepEqual(callTo('http://s3.files.svc.other.domain:9000', domain), { ports: [9000] });
  assert.deepEqual(callTo('http://[2001:db8::1]:9000', domain), { ports: [9000] });
  assert.deepEqual(callTo('http://s3.files:9000', domain), { ports: [9000] });
  for (const plain of ['192.0.2.53', '2001:db8::53']) assert.deepEqual(callToNameServer(plain), []);
  const at5353 = [{ ports: [5353], udp: true }];
  for (const other of ['192.0.2.53:5353', '[2001:db8::53]:5353'])
    assert.deepEqual(callToNameServer(other), at5353);
});

test('pods that are named as scrapers reach the ports of metrics, and no other pod does', async () => {
  const change = (spec: PlatformSpec): void => {
    spec.monitoring = { scrapers: [{ namespace: 'monitoring', labels: { app: 'prometheus' } }] };
  };
  const policies = [
    ...(await platformChildren(change)),
    ...(await cellChildren('samples/cell-a.yaml', undefined, change)),
  ].filter(isPolicy);
  const pods = [...podsOf('platform', platform), ...podsOf('cell', local)];
  const scraper: Pod = {
    name: 'prometheus',
    owner: '',
    namespace: 'monitoring',
    labels: { app: 'prometheus' },
  };
  const reached = (from: Pod): Record<string, number[]> =>
    Object.fromEntries(
      pods.flatMap((to) => {
        const ports = letsIn(policies, to, from);
        return ports.length > 0 ? [[to.name, ports]] : [];
      }),
    );
  assert.deepEqual(reached(scraper), {
    'platform/discovery': [8090],
    'platform/mta-proxy': [2525, 8082],
    'platform/user-index': [8083],
    'platform/memcache-dirty': [8084],
    'platform/console': [8085],
    'platform/web': [8080, 8180],
    'cell/app-server': [8081],
  });
  assert.deepEqual(reached(WORLD), { 'platform/mta-proxy': [2525], 'platform/web': [8080] });
});
