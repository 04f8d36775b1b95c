// Programs that tests need from the system; on Debian missing ones are installed.
import { exists } from '../../images/cache.ts';
import { command, works } from '../../images/command.ts';
import { say } from '../../images/progress.ts';

/**
 * Makes sure of programs: installs the packages of those that are missing, where that can be done (root, apt-get).
 * @param needed program or absolute path -> Debian's package
 * @returns the packages that are still missing
 */
export async function installMissing(needed: Readonly<Record<string, string>>): Promise<string[]> {
  const missing = await missingPackages(needed);
  if (missing.length === 0 || process.getuid?.() !== 0 || !(await works('apt-get', ['--version']))) {
    return missing;
  }
  say(`installing Debian packages: ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await command('apt-get', ['update', '-q'], { env });
  await command('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env });
  return await missingPackages(needed);
}

async function missingPackages(needed: Readonly<Record<string, string>>): Promise<string[]> {
  const missing = new Set<string>();
  for (const [program, name] of Object.entries(needed)) if (!(await isThere(program))) missing.add(name);
  return [...missing];
}

async function isThere(program: string): Promise<boolean> {
  if (program.startsWith('/')) return await exists(program);
  return await works('sh', ['-c', `command -v ${program}`]);
}
