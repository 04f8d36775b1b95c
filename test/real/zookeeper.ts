// A real ZooKeeper for tests, one server, from the jars that the images hold.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { works } from '../../images/command.ts';
import { hbaseJars } from '../../images/hbase/jars.ts';
import { loadZooKeeper } from '../../workloads/common/coordination/zookeeper-client.ts';
import { until } from '../support/wait.ts';
import { endWithUs } from './outlive.ts';

const START_DEADLINE_MS = 60_000;
const ANSWER_DEADLINE_MS = 1_000;
/** Sessions may ask for twice this at least, and their end is noticed within it. */
const TICK_MS = 500;
const JAVA = 'java';
/** What a server alone needs of the jars. */
const JARS = [
  /^zookeeper-/,
  /^slf4j-/,
  /^reload4j-/,
  /^netty-(buffer|codec|common|handler|resolver|transport|transport-classes-epoll|transport-native-unix-common)-\d/,
  /^metrics-core-/,
  /^snappy-java-/,
  /^commons-(cli|io)-/,
  /^audience-annotations-/,
];

export type ZooKeeper = {
  /** `127.0.0.1:port` */
  connect: string;
  /** The shortest session timeout that it grants. */
  minTimeoutMs: number;
  /** What CELLPOST_COORDINATION takes. */
  url(chroot: string): string;
  /** kill -9 */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT: a server that hangs. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  close(): Promise<void>;
};

/** Why a real ZooKeeper, or our way to it, can't be had here; undefined when it can. */
export async function zooKeeperMissing(): Promise<string | undefined> {
  if (!(await works(JAVA, ['-version']))) return 'there is no Java here';
  try {
    await loadZooKeeper();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @throws when there is no Java, or the jars have to be fetched and there is no Maven */
export async function startZooKeeper(): Promise<ZooKeeper> {
  const jars = await hbaseJars();
  const classPath = (await readdir(jars)).filter((jar) => JARS.some((pattern) => pattern.test(jar)));
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-zookeeper-'));
  const port = await freePort();
  const config = join(folder, 'zoo.cfg');
  await writeFile(
    config,
    [
      `tickTime=${TICK_MS}`,
      `dataDir=${join(folder, 'data')}`,
      'clientPortAddress=127.0.0.1',
      `clientPort=${port}`,
      'maxClientCnxns=0',
      'admin.enableServer=false',
      '4lw.commands.whitelist=ruok',
      '',
    ].join('\n'),
  );
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(
      JAVA,
      [
        '-Xmx256m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-cp',
        classPath.map((jar) => join(jars, jar)).join(':'),
        'org.apache.zookeeper.server.quorum.QuorumPeerMain',
        config,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let complaint = '';
    child.stderr?.on('data', (chunk) => {
      complaint = (complaint + String(chunk)).slice(-4_000);
    });
    await once(child, 'spawn');
    endWithUs(child, folder);
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`ZooKeeper ended with ${child.exitCode}: ${complaint}`);
        return isWell(port);
      },
      { timeoutMs: START_DEADLINE_MS, what: 'ZooKeeper to answer' },
    );
    return child;
  };
  let child = await start();
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    connect: `127.0.0.1:${port}`,
    minTimeoutMs: TICK_MS * 2,
    url: (chroot) => `zookeeper://127.0.0.1:${port}${chroot}`,
    kill,
    async restart() {
      child = await start();
    },
    signal: (name) => void child.kill(name),
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function isWell(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  // A server that is about to serve may take the connection and never answer it.
  socket.setTimeout(ANSWER_DEADLINE_MS, () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'connect');
    socket.end('ruok');
    return (await text(socket)) === 'imok';
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}
