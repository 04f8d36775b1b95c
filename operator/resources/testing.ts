// The children of the chart's samples as the operator renders them, with the defaults that the API server fills in.
import { readFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { cellContext } from '../cell/context.ts';
import { appServerResources, credentialsSecret } from '../cell/resources/app-servers.ts';
import { cellEnsembleResources } from '../cell/resources/ensemble.ts';
import { storageResources, storageRoles } from '../cell/resources/storage.ts';
import { platformContext } from '../platform/context.ts';
import { consoleResources } from '../platform/resources/console.ts';
import { countsResources, memcachedResources } from '../platform/resources/counts.ts';
import { platformEnsembleResources } from '../platform/resources/ensemble.ts';
import {
  discoveryResources,
  mtaProxyResources,
  userIndexResources,
  webResources,
} from '../platform/resources/services.ts';
import { readCustomResource, type Schema } from '../reference/pages.ts';
import type { KubeObject } from '../runtime/resources.ts';
import { readSettings } from '../settings.ts';
import type { Cell, Platform, PlatformSpec } from '../types.ts';

const ROOT = new URL('../../', import.meta.url);
const CREDENTIALS = { platformToken: 'a token', accessKeyId: 'an id', secretAccessKey: 'a key' };
const settings = readSettings({
  CELLPOST_IMAGE: 'registry.test/cellpost:1.0',
  CELLPOST_HBASE_IMAGE: 'registry.test/hbase:1.0',
  CELLPOST_MEMCACHED_IMAGE: 'registry.test/memcached:1.0',
  CELLPOST_OPERATOR_NAMESPACE: 'cellpost',
  CELLPOST_OPERATOR_PODS: 'cellpost-operator-pods',
});

/** What the API server stores for an object: its schema's defaults where nothing is said. */
function withDefaults(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withDefaults(schema.items ?? {}, item));
  if (typeof value !== 'object' || value === null || !schema.properties) return value;
  const object: Record<string, unknown> = { ...value };
  for (const [name, child] of Object.entries(schema.properties)) {
    const given = object[name] ?? child.default;
    if (given !== undefined) object[name] = withDefaults(child, given);
  }
  return object;
}

async function readSample(path: string, crd: string): Promise<KubeObject> {
  const { spec } = readCustomResource(await readFile(new URL(`crds/${crd}.yaml`, ROOT), 'utf8'));
  const object = parse(await readFile(new URL(`charts/cellpost/${path}`, ROOT), 'utf8')) as KubeObject;
  object.metadata.uid = '00000000-0000-0000-0000-000000000000';
  return withDefaults(spec.versions[0]?.schema.openAPIV3Schema ?? {}, object) as KubeObject;
}

/** What is different in the spec of the sample. */
type Change<Spec> = (spec: Spec) => void;
const asItIs = (): void => undefined;

async function readPlatform(change: Change<PlatformSpec>): Promise<Platform> {
  const platform = (await readSample('samples/platform.yaml', 'platforms')) as Platform;
  change(platform.spec);
  return platform;
}

/** All objects of the sample platform. */
export async function platformChildren(change: Change<PlatformSpec> = asItIs): Promise<KubeObject[]> {
  const platform = await readPlatform(change);
  const { spec } = platform;
  const context = platformContext(platform, settings);
  return [
    ...platformEnsembleResources(context, spec),
    ...discoveryResources(context, spec, CREDENTIALS),
    ...mtaProxyResources(context, spec, CREDENTIALS),
    ...userIndexResources(context, spec, CREDENTIALS),
    ...(spec.counts
      ? [
          ...memcachedResources(context, spec.counts.memcached),
          ...countsResources(context, spec.counts, CREDENTIALS),
        ]
      : []),
    ...(spec.console ? consoleResources(context, spec, spec.console, CREDENTIALS) : []),
    ...webResources(context, spec, CREDENTIALS),
  ];
}

/** All objects of a sample cell: `samples/cell-a.yaml`, `samples-hdfs/cell-c.yaml`. */
export async function cellChildren(
  path: string,
  change: Change<Cell['spec']> = asItIs,
  changePlatform: Change<PlatformSpec> = asItIs,
): Promise<KubeObject[]> {
  const cell = (await readSample(path, 'cells')) as Cell;
  change(cell.spec);
  return childrenOf(cell, await readPlatform(changePlatform));
}

/** All objects of a cell, as the API server has it. */
export function childrenOf(cell: Cell, platform: Platform): KubeObject[] {
  const { spec } = cell;
  const context = cellContext(cell, platform, settings);
  const record = { clusterId: 'CID-sample', formattedAt: '2026-01-01T00:00:00Z' };
  return [
    ...cellEnsembleResources(context, spec),
    ...storageRoles(spec).flatMap(({ role }) => storageResources(context, spec, role, record)),
    credentialsSecret(context.owner, CREDENTIALS),
    ...appServerResources(context, spec, CREDENTIALS),
  ];
}

function withOneNameNode({ hbase: { hdfs } }: Cell['spec']): void {
  if (hdfs) hdfs.nameNodes.replicas = 1;
}

/** What pods are made of: an upgrade of the operator that changes one of these restarts pods. */
const RESTARTING = new Set(['StatefulSet', 'Deployment', 'ConfigMap']);

/** By file of `golden/`: the pods of the samples as this version of the operator makes them. */
export async function renderGolden(): Promise<Record<string, string>> {
  const text = (objects: KubeObject[]): string =>
    objects
      .filter(({ kind }) => RESTARTING.has(kind))
      .map((object) => stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 }))
      .join('---\n');
  return {
    'platform.yaml': text(await platformChildren()),
    'cell-a.yaml': text(await cellChildren('samples/cell-a.yaml')),
    'cell-c.yaml': text(await cellChildren('samples-hdfs/cell-c.yaml')),
    'cell-c-one-name-node.yaml': text(await cellChildren('samples-hdfs/cell-c.yaml', withOneNameNode)),
  };
}
