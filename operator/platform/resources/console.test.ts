import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTargets } from '../../../workloads/console/targets.ts';
import type { Deployment, Service } from '../../resources/manifests.ts';
import { platformChildren } from '../../resources/testing.ts';

test('the console finds the pods of every other service, and the operator, by names of headless Services', async () => {
  const children = await platformChildren();
  const find = <T>(kind: string, name: string): T | undefined =>
    children.find((child) => child.kind === kind && child.metadata.name === name) as T | undefined;
  const [container] =
    find<Deployment>('Deployment', 'cellpost-console')?.spec.template.spec?.containers ?? [];
  const all = parseTargets(
    container?.env?.find(({ name }) => name === 'CELLPOST_CONSOLE_TARGETS')?.value ?? '',
  );
  const targets = all.filter(({ workload }) => workload !== 'operator');
  const others = children
    .filter(({ kind, metadata }) => kind === 'Deployment' && metadata.name !== 'cellpost-console')
    .map(({ metadata }) => metadata.name);
  assert.deepEqual(targets.map(({ workload }) => `cellpost-${workload}`).toSorted(), others.toSorted());
  const operator = { host: 'cellpost-operator-pods.cellpost.svc.cluster.local', port: 8083 };
  assert.deepEqual(all.find(({ workload }) => workload === 'operator')?.at, operator);
  for (const { workload, at } of targets) {
    assert.ok('host' in at);
    const [name = '', ...domain] = at.host.split('.');
    assert.equal(domain.join('.'), 'cellpost.svc.cluster.local');
    const spec = find<Service>('Service', name)?.spec;
    assert.ok(spec, name);
    assert.equal(spec.clusterIP, 'None');
    assert.equal(spec.publishNotReadyAddresses, true);
    const [container] =
      find<Deployment>('Deployment', `cellpost-${workload}`)?.spec.template.spec?.containers ?? [];
    assert.ok(
      container?.ports?.some(({ containerPort }) => containerPort === at.port),
      name,
    );
  }
});
