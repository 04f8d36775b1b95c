// What every image stands on: busybox, two users, and the shared libraries that programs name.
import { copyFile, chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layer, type Layer } from './archive.ts';
import { cached, cacheFolder, exists, hashOf, hashOfFiles } from './cache.ts';
import { command, works } from './command.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
cellpost:x:1000:1000::/tmp:/bin/sh
`;
const GROUP = `root:x:0:
nogroup:x:65534:
cellpost:x:1000:
`;
const NSSWITCH = `hosts: files dns
passwd: files
group: files
`;
const FOLDERS = 'bin dev etc lib lib64 opt proc root run sys tmp usr/bin usr/lib usr/local/bin var/tmp'.split(
  ' ',
);

/** Users, folders, and the shell with its tools: what a probe or a start script needs. */
export async function baseLayer(): Promise<Layer> {
  return await layer('base', await recipe(PASSWD, GROUP, NSSWITCH, FOLDERS.join()), async (root) => {
    for (const folder of FOLDERS) await mkdir(join(root, folder), { recursive: true });
    await chmod(join(root, 'tmp'), 0o1777);
    await chmod(join(root, 'var/tmp'), 0o1777);
    await writeFile(join(root, 'etc/passwd'), PASSWD);
    await writeFile(join(root, 'etc/group'), GROUP);
    await writeFile(join(root, 'etc/nsswitch.conf'), NSSWITCH);
    const busybox = await staticBusybox();
    await copyFile(busybox, join(root, 'bin/busybox'));
    await chmod(join(root, 'bin/busybox'), 0o755);
    for (const tool of (await command(busybox, ['--list'])).trim().split('\n'))
      if (tool !== 'busybox') await symlink('busybox', join(root, 'bin', tool));
  });
}

/** Copies the shared libraries of programs into a root file system, to the paths where they are here. */
export async function copyLibraries(root: string, programs: readonly string[]): Promise<void> {
  const wanted = new Set<string>();
  for (const program of programs) {
    // A library that another brings along is told again: `=> /path` or a bare path of the loader.
    const told = await command('ldd', [program]).catch(() => '');
    for (const [path] of told.matchAll(/\/(?:usr\/)?lib(?:64|32)?\/\S+/g)) wanted.add(path);
  }
  for (const path of wanted) {
    if (!(await exists(path))) continue;
    await mkdir(join(root, dirname(path)), { recursive: true });
    await copyFile(path, join(root, path));
    await chmod(join(root, path), 0o755);
  }
}

/** A layer of one program. */
export async function programLayer(name: string, program: string, folder: string): Promise<Layer> {
  return await layer(name, await recipe(basename(program), folder), async (root) => {
    await mkdir(join(root, folder), { recursive: true });
    await copyFile(program, join(root, folder, name));
    await chmod(join(root, folder, name), 0o755);
  });
}

/** A key of layers: these texts, and how layers are made. */
export async function recipe(...texts: string[]): Promise<string> {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const how = ['archive.ts', 'base.ts'].map((name) => join(here, name));
  return hashOf(await hashOfFiles(here, how), ...texts);
}

/** Debian's package is fetched and unpacked, not installed. */
async function staticBusybox(): Promise<string> {
  return await cached(join(cacheFolder(), 'bin', 'busybox-static'), async (path) => {
    if (!(await works('apt-get', ['--version'])))
      throw new Error(
        'Images are made here of Debian packages, and there is no apt-get: use Docker (images/*/Dockerfile).',
      );
    const work = await mkdtemp(join(tmpdir(), 'cellpost-busybox-'));
    try {
      await chmod(work, 0o755);
      await command('apt-get', ['download', '-q', 'busybox-static'], { cwd: work });
      const [archive = ''] = await readdir(work);
      await command('dpkg', ['-x', archive, 'unpacked'], { cwd: work });
      await copyFile(join(work, 'unpacked/bin/busybox'), path);
      await chmod(path, 0o755);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}
