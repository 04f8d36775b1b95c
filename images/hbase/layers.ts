// The image of ZooKeeper, HBase and HDFS: a small Java, the jars, and folders that their info servers want.
import { chmod, copyFile, mkdir, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layer, type Layer } from '../archive.ts';
import { copyLibraries, recipe } from '../base.ts';
import { exists, hashOfFiles } from '../cache.ts';
import { command } from '../command.ts';
import { hbaseJars } from './jars.ts';

/** jdk.security.auth: Hadoop asks the system for the user. */
const MODULES =
  'java.base java.compiler java.desktop java.instrument java.logging java.management java.naming java.net.http java.security.jgss java.security.sasl java.sql java.transaction.xa java.xml jdk.unsupported jdk.management jdk.jcmd jdk.crypto.ec jdk.zipfs jdk.attach jdk.security.auth'.split(
    ' ',
  );
/** For screens, which pull in more libraries. */
const NOT_NEEDED = ['libsplashscreen.so', 'libfontmanager.so', 'libawt_xawt.so'];
/** Loaded by name by native code inside jars, so that ldd doesn't tell them. */
const LOADED_BY_NAME = ['libdl.so.2', 'librt.so.1', 'libpthread.so.0'];
/** The jars hold no pages, but the servers that answer /jmx want the folders. */
const WEB = [
  ...['master', 'regionserver', 'rest', 'static'].map((name) => `hbase-webapps/${name}`),
  ...['hdfs', 'datanode', 'secondary', 'journal', 'static'].map((name) => `webapps/${name}`),
];
/** Hadoop asks bash for the free space. */
const BASH = '#!/bin/sh\nexec /bin/sh "$@"\n';

export async function hbaseLayers(): Promise<Layer[]> {
  return [await javaLayer(), await jarsLayer()];
}

async function javaLayer(): Promise<Layer> {
  const home = await jdkHome();
  const version = await command(join(home, 'bin/java'), ['--version']);
  return await layer('java', await recipe(version, await ownKey()), async (root) => {
    const java = join(root, 'opt/java');
    await mkdir(dirname(java), { recursive: true });
    await command(join(home, 'bin/jlink'), [
      '--module-path',
      join(home, 'jmods'),
      '--strip-debug',
      '--no-header-files',
      '--no-man-pages',
      '--add-modules',
      MODULES.join(),
      '--output',
      java,
    ]);
    for (const name of NOT_NEEDED) await rm(join(java, 'lib', name), { force: true });
    await mkdir(join(root, 'usr/local/bin'), { recursive: true });
    await symlink('/opt/java/bin/java', join(root, 'usr/local/bin/java'));
    const libraries = (await readdir(join(java, 'lib'))).filter((name) => name.endsWith('.so'));
    await copyLibraries(root, [
      join(java, 'bin/java'),
      join(java, 'lib/server/libjvm.so'),
      ...libraries.map((name) => join(java, 'lib', name)),
    ]);
    const libc = dirname(await libcPath(join(java, 'bin/java')));
    for (const name of LOADED_BY_NAME) {
      await copyFile(join(libc, name), join(root, libc, name));
      await chmod(join(root, libc, name), 0o755);
    }
  });
}

async function jarsLayer(): Promise<Layer> {
  const jars = await hbaseJars();
  return await layer('hbase-jars', await recipe(basename(jars), await ownKey()), async (root) => {
    const lib = join(root, 'opt/hbase/lib');
    await mkdir(lib, { recursive: true });
    for (const name of await readdir(jars)) {
      await copyFile(join(jars, name), join(lib, name));
      await chmod(join(lib, name), 0o644);
    }
    for (const folder of WEB) {
      await mkdir(join(root, 'opt/hbase/web', folder, 'WEB-INF'), { recursive: true });
      await writeFile(join(root, 'opt/hbase/web', folder, 'WEB-INF/web.xml'), '<web-app></web-app>\n');
    }
    await mkdir(join(root, 'bin'), { recursive: true });
    await writeFile(join(root, 'bin/bash'), BASH, { mode: 0o755 });
  });
}

/** The JDK 17 whose jlink is on the PATH. */
async function jdkHome(): Promise<string> {
  const path = await command('sh', ['-c', 'command -v jlink']).catch(() => '');
  const home = path && dirname(dirname(await realpath(path.trim())));
  if (!home || !(await exists(join(home, 'jmods'))))
    throw new Error(
      'The Java of the HBase image is made by jlink: install a whole JDK 17 (Debian: openjdk-17-jdk-headless).',
    );
  return home;
}

async function libcPath(program: string): Promise<string> {
  const path = /\/\S*\/libc\.so\.6/.exec(await command('ldd', [program]))?.[0];
  if (!path) throw new Error(`ldd names no libc for ${program}.`);
  return path;
}

async function ownKey(): Promise<string> {
  const file = fileURLToPath(import.meta.url);
  return await hashOfFiles(dirname(file), [file]);
}
