// Builds the images without a container engine: `node bin/dev.js images/build.ts` prints their references and files.
import { image, type Image } from './archive.ts';
import { baseLayer, programLayer } from './base.ts';
import { cellpostLayers } from './cellpost/layers.ts';
import { versitygwBinary } from './go-program.ts';
import { hbaseLayers } from './hbase/layers.ts';
import { memcachedLayer } from './memcached/layers.ts';

/** Tags of the HBase image begin with it. */
const HBASE_VERSION = '2.6.4';

export type Images = { cellpost: Image; hbase: Image; memcached: Image; versitygw: Image };

/** All images, from the cache where nothing changed. */
export async function buildImages(): Promise<Images> {
  const base = await baseLayer();
  return {
    cellpost: await image(
      {
        name: 'cellpost',
        workingDir: '/app',
        env: ['NODE_OPTIONS=--disable-warning=ExperimentalWarning'],
        command: ['node', 'cli/cellpost.ts', '--help'],
      },
      [base, ...(await cellpostLayers())],
    ),
    hbase: await image({ name: 'hbase', version: HBASE_VERSION, env: ['JAVA_HOME=/opt/java'] }, [
      base,
      ...(await hbaseLayers()),
    ]),
    memcached: await image({ name: 'memcached', command: ['memcached', '-V'] }, [
      base,
      await memcachedLayer(),
    ]),
    versitygw: await image({ name: 'versitygw', command: ['versitygw', '--help'] }, [
      base,
      await programLayer('versitygw', await versitygwBinary(), 'usr/local/bin'),
    ]),
  };
}

if (import.meta.main)
  for (const { reference, tar } of Object.values(await buildImages()))
    process.stdout.write(`${reference}\t${tar}\n`);
