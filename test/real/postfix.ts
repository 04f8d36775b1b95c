// Debian's Postfix, for comparison: its packages unpacked into the cache, never installed, and a master of its own over a
// temporary folder on a port of 127.0.0.1. It takes mail into its queue and holds it there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cacheFolder, cached } from '../../images/cache.ts';
import { command } from '../../images/command.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/wait.ts';
import { endWithUs } from './outlive.ts';

/** Accounts that every Debian has and that are nobody's here: Postfix wants a user and another group of its own. */
const OWNER = 'mail';
const DROP_GROUP = 'daemon';
const PRIVATE_QUEUES = ['active', 'bounce', 'corrupt', 'defer', 'deferred', 'hold', 'incoming', 'private'];
const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 10_000;

/** Where Debian's package lies unpacked, and what its programs need in their environment. */
export type PostfixPrograms = { root: string; smtpSource: string; env: NodeJS.ProcessEnv };

export type Postfix = {
  port: number;
  /** Its master's process; all others are children of it. */
  pid: number;
  /** Messages in the queue. */
  queued(): Promise<number>;
  close(): Promise<void>;
};

/** @throws with a sentence for people when this machine can't run it */
export async function postfixPrograms(): Promise<PostfixPrograms> {
  const root = await cached(join(cacheFolder(), 'postfix'), unpack).catch((error: unknown) => {
    throw new Error("Postfix can't be had: apt-get and dpkg of a Debian with its package lists are needed.", {
      cause: error,
    });
  });
  const smtpSource = join(root, 'usr/sbin/smtp-source');
  const env = { ...process.env, LD_LIBRARY_PATH: join(root, 'usr/lib/postfix') };
  const libraries = await command('ldd', [smtpSource], { env });
  const missing = [...libraries.matchAll(/(\S+) => not found/g)].map(([, name]) => name);
  if (missing.length > 0) throw new Error(`Postfix lacks libraries of this machine: ${missing.join(', ')}.`);
  return { root, smtpSource, env };
}

async function unpack(path: string): Promise<void> {
  const folder = dirname(path);
  await command('apt-get', ['download', '-q', 'postfix'], { cwd: folder });
  const deb = (await readdir(folder)).find((name) => name.endsWith('.deb'));
  await command('dpkg', ['-x', join(folder, deb ?? ''), path]);
}

/**
 * Takes any mail for `domain`, with Debian's settings for durability, and logs each message to a file.
 * @throws with a sentence for people: only root may run it
 */
export async function startPostfix(domain: string): Promise<Postfix> {
  if (process.getuid?.() !== 0) throw new Error('Postfix can be run by root only.');
  const { root, env } = await postfixPrograms();
  const home = await mkdtemp(join(tmpdir(), 'cellpost-postfix-'));
  const [conf, queue, data] = [join(home, 'conf'), join(home, 'queue'), join(home, 'data')];
  const port = await freePort();
  const uid = await idOf('/etc/passwd', OWNER);
  const gid = await idOf('/etc/group', DROP_GROUP);
  await chmod(home, 0o755);
  for (const folder of [conf, queue, data]) await mkdir(folder);
  await chown(data, uid, -1);
  for (const name of PRIVATE_QUEUES) {
    await mkdir(join(queue, name), { mode: 0o700 });
    await chown(join(queue, name), uid, -1);
  }
  await mkdir(join(queue, 'pid'));
  for (const [name, mode] of Object.entries({ maildrop: 0o730, public: 0o710 })) {
    await mkdir(join(queue, name));
    await chown(join(queue, name), uid, gid);
    await chmod(join(queue, name), mode);
  }
  await writeFile(join(conf, 'main.cf'), mainCf(root, home, domain));
  await writeFile(join(conf, 'master.cf'), masterCf(port));
  const master = spawn(join(root, 'usr/lib/postfix/sbin/master'), ['-c', conf, '-d'], {
    env: { ...env, MAIL_CONFIG: conf },
    stdio: 'ignore',
    // Postfix signals its whole group at its end.
    detached: true,
  });
  const exited = once(master, 'exit');
  await Promise.race([once(master, 'spawn'), exited]);
  endWithUs(master, home);
  const close = async (): Promise<void> => {
    master.kill('SIGTERM');
    const timer = setTimeout(() => master.kill('SIGKILL'), STOP_DEADLINE_MS);
    if (master.exitCode === null && master.signalCode === null) await exited;
    clearTimeout(timer);
    await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    await until(() => greets(port), { timeoutMs: START_DEADLINE_MS, what: 'Postfix to greet' });
  } catch (error) {
    const log = await readFile(join(home, 'log'), 'utf8').catch(() => '');
    await close();
    throw new Error(`Postfix did not start:\n${log}`, { cause: error });
  }
  return {
    port,
    pid: master.pid ?? 0,
    queued: async () => (await readdir(join(queue, 'hold'), { recursive: true })).filter(isQueueId).length,
    close,
  };
}

/** Folders of the hold queue have names of one character. */
function isQueueId(name: string): boolean {
  return /(?:^|\/)[0-9A-Za-z]{6,}$/.test(name);
}

function mainCf(root: string, home: string, domain: string): string {
  return Object.entries({
    compatibility_level: '3.6',
    command_directory: `${root}/usr/sbin`,
    daemon_directory: `${root}/usr/lib/postfix/sbin`,
    shlib_directory: 'no',
    meta_directory: `${root}/etc/postfix`,
    queue_directory: `${home}/queue`,
    data_directory: `${home}/data`,
    mail_owner: OWNER,
    setgid_group: DROP_GROUP,
    import_environment: 'MAIL_CONFIG LD_LIBRARY_PATH',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    myhostname: 'localhost',
    mydestination: '',
    alias_maps: '',
    // Debian's default asks a daemon that only real mailboxes need.
    local_recipient_maps: '',
    relay_domains: domain,
    // Straight into the queue for held mail: no queue manager that takes from the time of accepting.
    smtpd_client_restrictions: 'static:HOLD',
    smtpd_client_connection_count_limit: '0',
    maillog_file: `${home}/log`,
    maillog_file_prefixes: home,
  })
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');
}

function masterCf(port: number): string {
  return [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    'cleanup unix n - n - 0 cleanup',
    'rewrite unix - - n - - trivial-rewrite',
    'anvil unix - - n - 1 anvil',
    'bounce unix - - n - 0 bounce',
    'postlog unix-dgram n - n - 1 postlogd',
    '',
  ].join('\n');
}

async function idOf(file: string, name: string): Promise<number> {
  const line = (await readFile(file, 'utf8')).split('\n').find((one) => one.startsWith(`${name}:`));
  if (!line) throw new Error(`${file} has no ${name}: this is no Debian.`);
  return Number(line.split(':')[2]);
}

async function greets(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(5_000) })) as [Buffer];
    return chunk.toString().startsWith('220');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
