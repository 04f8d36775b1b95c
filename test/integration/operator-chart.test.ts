import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readdir, readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { namesIn, readTable } from '../../operator/resources/network-page.ts';
import { CHART, helm, renderChart, type Rendered } from '../support/helm.ts';

const SETS = [
  [],
  ['--set', 's3.enabled=true'],
  ['--set', 'operator.replicas=1,images.pullSecrets[0].name=x'],
  ['--set', 'monitoring.podMonitors=true,monitoring.alerts=true,monitoring.dashboard=true'],
];

for (const set of SETS) {
  test(`the chart passes helm lint and renders with ${set.join(' ') || 'its defaults'}`, async () => {
    assert.match(await helm('lint', '--strict', CHART, ...set), /0 chart\(s\) failed/);
    const kinds = new Set((await renderChart(...set)).map(({ kind }) => kind));
    for (const kind of ['Deployment', 'ServiceAccount', 'ClusterRole', 'Role', 'PodDisruptionBudget'])
      assert.ok(kinds.has(kind), kind);
    assert.equal(kinds.has('StatefulSet'), set.includes('s3.enabled=true'));
  });
}

test('the chart brings the custom resources as they are in crds/', async () => {
  const rendered = (await renderChart('--include-crds')).filter(
    ({ kind }) => kind === 'CustomResourceDefinition',
  );
  const files = (await readdir('crds')).filter((name) => name.endsWith('.yaml')).sort();
  const own = await Promise.all(
    files.map(async (name) => parseAllDocuments(await readFile(`crds/${name}`, 'utf8'), { merge: true })),
  );
  const names = own.flat().map((document) => (document.toJS() as Rendered).metadata.name);
  assert.deepEqual(rendered.map(({ metadata }) => metadata.name).sort(), names.sort());
  assert.deepEqual(names, ['cells.cellpost.dev', 'platforms.cellpost.dev', 'rollouts.cellpost.dev']);
});

for (const [what, set, sentence] of [
  ['no operators', 'operator.replicas=0', /minimum: got 0, want 1/],
  ['an unknown value', 'operator.colour=red', /additional properties 'colour' not allowed/],
  ['a bucket of two letters', 's3.bucket=ab', /does not match pattern/],
] as const) {
  test(`values with ${what} are refused`, async () => {
    await assert.rejects(renderChart('--set', set), (error: { stderr?: string }) => {
      assert.match(error.stderr ?? '', sentence);
      return true;
    });
  });
}

test('all pods of the chart pass the restricted Pod Security level', async () => {
  type Spec = {
    securityContext?: { runAsNonRoot?: boolean; seccompProfile?: { type: string } };
    containers: {
      securityContext?: {
        allowPrivilegeEscalation?: boolean;
        readOnlyRootFilesystem?: boolean;
        capabilities?: { drop: string[] };
      };
      resources?: { limits?: { memory?: string } };
    }[];
  };
  const objects = await renderChart('--set', 's3.enabled=true');
  const specs = objects
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .map(({ spec }) => (spec as { template: { spec: Spec } }).template.spec);
  assert.equal(specs.length, 2);
  for (const { securityContext, containers } of specs) {
    assert.equal(securityContext?.runAsNonRoot, true);
    assert.equal(securityContext?.seccompProfile?.type, 'RuntimeDefault');
    for (const container of containers) {
      assert.equal(container.securityContext?.allowPrivilegeEscalation, false);
      assert.equal(container.securityContext?.readOnlyRootFilesystem, true);
      assert.deepEqual(container.securityContext?.capabilities?.drop, ['ALL']);
      assert.ok(container.resources?.limits?.memory);
    }
  }
});

type Policy = Rendered & {
  spec: {
    ingress: {
      from: {
        namespaceSelector?: { matchLabels?: Record<string, string> };
        podSelector?: { matchLabels?: Record<string, string>; matchExpressions?: { values: string[] }[] };
      }[];
      ports: { port: number }[];
    }[];
    egress?: unknown[];
  };
};

async function policies(...set: string[]): Promise<Record<string, Policy['spec']>> {
  const objects = await renderChart(...set.flatMap((one) => ['--set', one]));
  const found = objects.filter((one): one is Policy => one.kind === 'NetworkPolicy');
  return Object.fromEntries(found.map(({ metadata, spec }) => [metadata.name, spec]));
}

test('the S3 server of the chart is called by whom docs/network.md says, and calls nobody', async () => {
  const { 'cellpost-s3': spec } = await policies('s3.enabled=true');
  const row = (await readTable('Pods')).find(([, to]) => to === "the chart's S3 server");
  const callers = namesIn(row?.[0]).map((name) => name.split('/')[1]);
  assert.equal(spec?.ingress.length, 1);
  const [rule] = spec.ingress;
  assert.deepEqual(rule?.from[0]?.podSelector?.matchExpressions?.[0]?.values.toSorted(), callers.toSorted());
  assert.deepEqual(
    rule?.ports.map(({ port }) => String(port)),
    namesIn(row?.[2]),
  );
  assert.deepEqual(spec.egress, []);
});

test('the operator’s metrics are read by whom the values name, by all where only PodMonitors are asked for, else by nobody', async () => {
  const of = async (...set: string[]): Promise<Policy['spec'] | undefined> =>
    (await policies(...set))['cellpost-operator'];
  assert.deepEqual((await of())?.ingress, []);
  const open = await of('monitoring.podMonitors=true');
  assert.deepEqual(open?.ingress[0]?.from, [{ namespaceSelector: {} }]);
  const scraper = ['namespace=monitoring', 'labels.app=prometheus'].map(
    (value) => `monitoring.scrapers[0].${value}`,
  );
  const named = await of('monitoring.podMonitors=true', ...scraper);
  assert.deepEqual(named?.ingress, [
    {
      from: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
          podSelector: { matchLabels: { app: 'prometheus' } },
        },
      ],
      ports: [{ port: 8083, protocol: 'TCP' }],
    },
  ]);
  assert.equal(named?.egress, undefined, 'the API server is no pod');
  assert.deepEqual(await policies('networkPolicies=false', 's3.enabled=true'), {});
});

test('alerts and the dashboard speak of metrics that there are, and each alert has a page', async () => {
  const set = 'monitoring.podMonitors=true,monitoring.alerts=true,monitoring.dashboard=true';
  const objects = await renderChart('--set', set);
  const page = await readFile('docs/observability.md', 'utf8');
  const listed = new Set(page.matchAll(/`(cellpost_[a-z_<>]+)/g).map(([, name]) => name));
  const assertListed = (expression: string): void => {
    for (const [name] of expression.matchAll(/cellpost_(?:[a-z_]+|\.\+_[a-z_]+)/g)) {
      const base = name.replace(/(?<=_duration_seconds)_(?:bucket|count|sum)$/, '');
      const isShared = [...listed].some(
        (one) => one?.startsWith('cellpost_<w>_') && base.endsWith(one.slice('cellpost_<w>'.length)),
      );
      assert.ok(listed.has(base) || isShared, `${base} is in docs/observability.md`);
    }
  };
  const rules = objects.find(({ kind }) => kind === 'PrometheusRule') as unknown as {
    spec: { groups: { rules: { alert: string; expr: string; annotations: { runbook: string } }[] }[] };
  };
  const alerts = rules.spec.groups.flatMap((group) => group.rules);
  assert.ok(alerts.length > 0);
  for (const { alert, expr, annotations } of alerts) {
    assertListed(expr);
    assert.match(await readFile(annotations.runbook, 'utf8'), new RegExp(`^# ${alert}: `));
  }
  const map = objects.find(({ kind }) => kind === 'ConfigMap') as unknown as { data: Record<string, string> };
  const dashboard = JSON.parse(map.data['cellpost.json'] ?? '') as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  assert.ok(dashboard.panels.length > 0);
  for (const { targets } of dashboard.panels) for (const { expr } of targets) assertListed(expr);
  assert.equal(objects.filter(({ kind }) => kind === 'PodMonitor').length, 2);
});
