// A real ZooKeeper for tests, one server or an ensemble, from the jars that the images hold.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { works } from '../../images/command.ts';
import { hbaseJars } from '../../images/hbase/jars.ts';
import { loadZooKeeper } from '../../workloads/common/coordination/zookeeper-client.ts';
import { freePort } from '../support/free-port.ts';
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
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-zookeeper-'));
  const server = new Server(folder, await freePort());
  await server.configure([]);
  await server.start();
  await until(() => server.isWell(), { timeoutMs: START_DEADLINE_MS, what: 'ZooKeeper to answer' });
  return {
    connect: server.connect,
    minTimeoutMs: TICK_MS * 2,
    url: (chroot) => `zookeeper://${server.connect}${chroot}`,
    kill: () => server.kill(),
    async restart() {
      await server.start();
      await until(() => server.isWell(), { timeoutMs: START_DEADLINE_MS, what: 'ZooKeeper to answer again' });
    },
    signal: (name) => server.signal(name),
    async close() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type Ensemble = {
  /** Of all servers. */
  url(chroot: string): string;
  /** The number of the server that leads; waits for one. */
  leader(): Promise<number>;
  /** kill -9 */
  kill(server: number): Promise<void>;
  /** Starts it again on its data; resolves when it follows or leads. */
  restart(server: number): Promise<void>;
  close(): Promise<void>;
};

/** Several servers, of which most must be there. @throws as startZooKeeper */
export async function startEnsemble(size: number): Promise<Ensemble> {
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-ensemble-'));
  const servers: Server[] = [];
  const quorum: string[] = [];
  for (let number = 1; number <= size; number++) {
    const server = new Server(join(folder, String(number)), await freePort());
    servers.push(server);
    quorum.push(`server.${number}=127.0.0.1:${await freePort()}:${await freePort()}`);
  }
  const serves = (server: Server) =>
    until(async () => (await server.mode()) !== undefined, {
      timeoutMs: START_DEADLINE_MS,
      what: 'a server of the ensemble to serve',
    });
  const close = async () => {
    await Promise.all(servers.map((server) => server.kill()));
    await rm(folder, { recursive: true, force: true });
  };
  const at = (index: number): Server => {
    const server = servers[index];
    if (!server) throw new Error(`there is no server ${index}`);
    return server;
  };
  try {
    await Promise.all(servers.map((server, index) => server.configure(quorum, index + 1)));
    await Promise.all(servers.map((server) => server.start()));
    await Promise.all(servers.map(serves));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url: (chroot) => `zookeeper://${servers.map((server) => server.connect).join(',')}${chroot}`,
    leader: () =>
      until(
        async () => {
          const modes = await Promise.all(servers.map((server) => server.mode()));
          const index = modes.indexOf('leader');
          return index >= 0 && index;
        },
        { timeoutMs: START_DEADLINE_MS, what: 'a leader' },
      ),
    kill: (index) => at(index).kill(),
    async restart(index) {
      await at(index).start();
      await serves(at(index));
    },
    close,
  };
}

class Server {
  readonly connect: string;
  readonly #folder: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #complaint = '';

  constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.connect = `127.0.0.1:${port}`;
  }

  /** @param quorum lines that name all servers; none for a server alone */
  async configure(quorum: readonly string[], number?: number): Promise<void> {
    const data = join(this.#folder, 'data');
    await mkdir(data, { recursive: true });
    if (number !== undefined) await writeFile(join(data, 'myid'), `${number}\n`);
    const lines = [
      `tickTime=${TICK_MS}`,
      'initLimit=20',
      'syncLimit=10',
      `dataDir=${data}`,
      'clientPortAddress=127.0.0.1',
      `clientPort=${this.#port}`,
      'maxClientCnxns=0',
      'admin.enableServer=false',
      '4lw.commands.whitelist=ruok,srvr',
      ...quorum,
      '',
    ];
    await writeFile(join(this.#folder, 'zoo.cfg'), lines.join('\n'));
  }

  async start(): Promise<void> {
    const jars = await hbaseJars();
    const classPath = (await readdir(jars)).filter((jar) => JARS.some((pattern) => pattern.test(jar)));
    const child = spawn(
      JAVA,
      [
        '-Xmx256m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-cp',
        classPath.map((jar) => join(jars, jar)).join(':'),
        'org.apache.zookeeper.server.quorum.QuorumPeerMain',
        join(this.#folder, 'zoo.cfg'),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    child.stderr?.on('data', (chunk) => {
      this.#complaint = (this.#complaint + String(chunk)).slice(-4_000);
    });
    await once(child, 'spawn');
    endWithUs(child, this.#folder);
    this.#child = child;
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** kill -9 */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async isWell(): Promise<boolean> {
    return (await this.#ask('ruok')) === 'imok';
  }

  /** @returns leader, follower, standalone; undefined while it serves nobody */
  async mode(): Promise<string | undefined> {
    return /^Mode: (\w+)$/m.exec((await this.#ask('srvr')) ?? '')?.[1];
  }

  /** One of the commands of four letters. */
  async #ask(command: string): Promise<string | undefined> {
    if (this.#child?.exitCode !== null && this.#child?.exitCode !== undefined)
      throw new Error(`ZooKeeper ended with ${this.#child.exitCode}: ${this.#complaint}`);
    const socket = connect(this.#port, '127.0.0.1');
    // A server that is about to serve may take the connection and never answer it.
    socket.setTimeout(ANSWER_DEADLINE_MS, () => socket.destroy(new Error('no answer')));
    try {
      await once(socket, 'connect');
      socket.end(command);
      return await text(socket);
    } catch {
      return undefined;
    } finally {
      socket.destroy();
    }
  }
}
