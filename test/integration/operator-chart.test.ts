import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readdir, readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { CHART, helm, renderChart, type Rendered } from '../support/helm.ts';

const SETS = [
  [],
  ['--set', 's3.enabled=true'],
  ['--set', 'operator.replicas=1,images.pullSecrets[0].name=x'],
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
