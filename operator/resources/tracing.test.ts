import assert from 'node:assert/strict';
import type { V1EnvVar, V1PodTemplateSpec } from '@kubernetes/client-node';
import { test } from 'node:test';
import type { KubeObject } from '../runtime/resources.ts';
import type { PlatformSpec } from '../types.ts';
import { cellChildren, platformChildren } from './testing.ts';

/** The variables of OpenTelemetry of each container, by its name. */
function variables(objects: KubeObject[]): Record<string, V1EnvVar[]> {
  const found: Record<string, V1EnvVar[]> = {};
  for (const object of objects) {
    if (!('spec' in object)) continue;
    const { template } = object.spec as { template?: V1PodTemplateSpec };
    for (const { name, env = [] } of template?.spec?.containers ?? []) {
      const own = env.filter((variable) => variable.name.startsWith('OTEL_'));
      if (own.length > 0) found[name] = own;
    }
  }
  return found;
}

test('a platform that names who takes traces has its services and app servers send them there', async () => {
  const trace = (spec: PlatformSpec): void => {
    spec.tracing = { endpoint: 'http://collector.monitoring:4318', percent: 5 };
  };
  const env = [
    { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector.monitoring:4318' },
    { name: 'OTEL_TRACES_SAMPLER', value: 'parentbased_traceidratio' },
    { name: 'OTEL_TRACES_SAMPLER_ARG', value: '0.05' },
  ];
  assert.deepEqual(variables(await platformChildren(trace)), {
    discovery: env,
    'mta-proxy': env,
    'user-index': env,
    'memcache-dirty': env,
    console: env,
    web: env,
  });
  assert.deepEqual(variables(await cellChildren('samples/cell-a.yaml', undefined, trace)), {
    'app-server': env,
  });
});

test('a platform that names nobody changes no pod for it', async () => {
  assert.deepEqual(
    variables([...(await platformChildren()), ...(await cellChildren('samples/cell-a.yaml'))]),
    {},
  );
});
