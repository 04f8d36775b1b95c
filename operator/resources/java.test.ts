import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { Cell, JavaServer } from '../types.ts';
import { hbaseJavaOptions } from './java.ts';
import type { StatefulSet } from './manifests.ts';
import { cellChildren } from './testing.ts';

const OPTION = '-XX:MaxGCPauseMillis=50';

/** Every role whose servers run in a JVM, by the name of its StatefulSet in the sample on HDFS. */
const ROLES: Record<string, (spec: Cell['spec']) => JavaServer | undefined> = {
  'c-zk': ({ zookeeper }) => zookeeper,
  'c-jn': ({ hbase }) => hbase.hdfs?.journalNodes,
  'c-nn': ({ hbase }) => hbase.hdfs?.nameNodes,
  'c-dn': ({ hbase }) => hbase.hdfs?.dataNodes,
  'c-hm': ({ hbase }) => hbase.master,
  'c-rs': ({ hbase }) => hbase.regionServer,
  'c-rest': ({ hbase }) => hbase.rest,
};

async function templates(change?: (spec: Cell['spec']) => void): Promise<Map<string, string>> {
  const objects = await cellChildren('samples-hdfs/cell-c.yaml', change);
  return new Map(
    objects
      .filter((one): one is StatefulSet => one.kind === 'StatefulSet')
      .map(({ metadata, spec }) => [metadata.name, JSON.stringify(spec.template)]),
  );
}

for (const [name, roleOf] of Object.entries(ROLES)) {
  test(`options for the JVMs of ${name} are in its pods, and roll no other role`, async () => {
    const before = await templates();
    const now = await templates((spec) => {
      const role = roleOf(spec);
      assert.ok(role);
      role.jvm = { options: [OPTION] };
    });
    assert.deepEqual(
      [...now].filter(([set, template]) => template !== before.get(set)).map(([set]) => set),
      [name],
    );
    assert.ok(now.get(name)?.includes(OPTION));
  });
}

test('options of a spec come last, and another collector takes the place of ours', () => {
  const own = hbaseJavaOptions(100);
  assert.deepEqual(hbaseJavaOptions(100, { options: [OPTION] }), [...own, OPTION]);
  const collectors = hbaseJavaOptions(100, { options: ['-XX:+UseG1GC'] }).filter((one) => one.endsWith('GC'));
  assert.deepEqual(collectors, ['-XX:+UseG1GC']);
});

test('the schema takes options that tune, and refuses those that set the heap, run commands or hide others', async () => {
  const schema = parse(await readFile('crds/cells.yaml', 'utf8'), { merge: true, maxAliasCount: -1 });
  const { options } =
    schema.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.zookeeper.properties.jvm
      .properties;
  const [, forbidden] =
    /matches\('(?<pattern>.*)'\)\)$/.exec(options['x-kubernetes-validations'][0].rule) ?? [];
  assert.ok(forbidden);
  const taken = (option: string): boolean =>
    new RegExp(options.items.pattern).test(option) && !new RegExp(forbidden).test(option);
  for (const option of [
    OPTION,
    '-XX:+UseG1GC',
    '-Xss1m',
    '-Dzookeeper.snapCount=1000',
    '-Xlog:gc:file=/tmp/gc.log',
  ])
    assert.ok(taken(option), option);
  for (const option of [
    '-Xmx1g',
    '-Xms1g',
    '-XX:MaxHeapSize=1g',
    '-XX:MaxRAMPercentage=90',
    '-XX:MaxDirectMemorySize=1g',
    '-XX:OnOutOfMemoryError=sh',
    '-javaagent:/tmp/a.jar',
    '-cp',
    '@/tmp/file',
    '-Da=b c',
    '-Da=$(HOME)',
    '-Da=*',
    '-jar',
  ])
    assert.ok(!taken(option), option);
});
