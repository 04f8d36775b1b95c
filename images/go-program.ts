// Programs built from Go modules, once, into the cache.
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cached, cacheFolder, exists, hashOfFiles } from './cache.ts';
import { command, works } from './command.ts';
import { say } from './progress.ts';

/** A first build of Kubernetes compiles some 2,000 packages: five minutes on two cores, more on a busy machine. */
const BUILD_TIMEOUT_MS = 3_600_000;
const TELL_EVERY_MS = 30_000;

export type GoProgram = {
  name: string;
  /** The folder with go.mod, go.sum and perhaps main.go. */
  folder: string;
  /** The package to build; default: the folder's own. */
  package?: string;
  /** For -X: variable=value. */
  variables?: string[];
};

/** The path of the program. Throws when it has to be built and there is no Go. */
export async function goProgram(program: GoProgram): Promise<string> {
  const files = (await readdir(program.folder)).map((name) => join(program.folder, name));
  const flags = ['-s', '-w', ...(program.variables ?? []).flatMap((variable) => ['-X', variable])];
  const key = await hashOfFiles(program.folder, files);
  return await cached(join(cacheFolder(), 'bin', `${program.name}-${key}`), async (path) => {
    await requireGo(program.name);
    const args = ['build', '-trimpath', '-ldflags', flags.join(' '), '-o', path, program.package ?? '.'];
    await build(program.name, args, { GOFLAGS: '-buildvcs=false' }, program.folder);
  });
}

type GoModuleProgram = {
  name: string;
  /** The path of the package that is the program. */
  module: string;
  version: string;
};

const pathOf = ({ name, version }: GoModuleProgram): string =>
  join(cacheFolder(), 'bin', `${name}-${version}`);

/** A program of somebody else's module, with the dependencies that it names. @returns its path; @throws as goProgram */
export async function goInstall(program: GoModuleProgram): Promise<string> {
  const { name, module, version } = program;
  return await cached(pathOf(program), async (path) => {
    await requireGo(name);
    await build(name, ['install', '-ldflags', '-s -w', `${module}@${version}`], {
      GOBIN: dirname(path),
      GOFLAGS: '-trimpath',
    });
    await command('mv', [join(dirname(path), name), path]);
  });
}

const VERSITYGW = {
  name: 'versitygw',
  module: 'github.com/versity/versitygw/cmd/versitygw',
  version: 'v1.8.0',
};

/** versitygw, a small S3 service over a folder. */
export const versitygwBinary = (): Promise<string> => goInstall(VERSITYGW);

/** @returns why versitygw can't be had here; undefined when it can */
export async function versitygwMissing(): Promise<string | undefined> {
  if ((await exists(pathOf(VERSITYGW))) || (await works('go', ['version']))) return undefined;
  return 'no S3 service to test with: versitygw is built with Go, and there is no `go` here';
}

async function build(name: string, args: string[], env: NodeJS.ProcessEnv, cwd?: string): Promise<void> {
  say(`building ${name} from its Go modules (once)`);
  const still = setInterval(() => say(`still building ${name}`), TELL_EVERY_MS);
  try {
    await command('go', args, {
      ...(cwd !== undefined && { cwd }),
      env: { ...process.env, CGO_ENABLED: '0', ...env },
      timeoutMs: BUILD_TIMEOUT_MS,
    });
    say(`built ${name}`);
  } finally {
    clearInterval(still);
  }
}

async function requireGo(name: string): Promise<void> {
  if (await works('go', ['version'])) return;
  throw new Error(`${name} is built from Go modules, and there is no \`go\` here: install Go 1.25 or newer.`);
}
