// Builds the images without a container engine: `node bin/dev.js images/build.ts` prints their references and files.
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { image, layer, type Image, type Layer } from './archive.ts';
import { baseLayer, recipe } from './base.ts';
import { cellpostLayers } from './cellpost/layers.ts';
import { versitygwBinary } from './go-program.ts';
import { hbaseLayers } from './hbase/layers.ts';

/** Tags of the HBase image begin with it. */
const HBASE_VERSION = '2.6.4';

export type Images = { cellpost: Image; hbase: Image; versitygw: Image };

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
    versitygw: await image({ name: 'versitygw', command: ['versitygw', '--help'] }, [
      base,
      await programLayer('versitygw', await versitygwBinary(), 'usr/local/bin'),
    ]),
  };
}

/** A layer of one program. */
export async function programLayer(name: string, program: string, folder: string): Promise<Layer> {
  return await layer(name, await recipe(basename(program), folder), async (root) => {
    await mkdir(join(root, folder), { recursive: true });
    await copyFile(program, join(root, folder, name));
    await chmod(join(root, folder, name), 0o755);
  });
}

if (import.meta.main)
  for (const { reference, tar } of Object.values(await buildImages()))
    process.stdout.write(`${reference}\t${tar}\n`);
