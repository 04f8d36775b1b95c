// A real HBase for tests: ZooKeeper, master, region servers and REST as processes on 127.0.0.1 over a temporary folder, with
// the settings that cells have. They end with the test's process at the latest. What they log is shown when a start fails.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hbaseJars } from '../../images/hbase/jars.ts';
import { hbaseSettings, LOCAL_STORAGE, siteXml } from '../../operator/cell/resources/hbase-site.ts';
import { hbaseJavaOptions } from '../../operator/resources/java.ts';
import { script } from '../../operator/resources/scripts.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/wait.ts';
import { endWithUs } from './outlive.ts';
import { startZooKeeper } from './zookeeper.ts';

const START_DEADLINE_MS = 200_000;
const MASTER = 'org.apache.hadoop.hbase.master.HMaster';
const REGION_SERVER = 'org.apache.hadoop.hbase.regionserver.HRegionServer';
const REST = 'org.apache.hadoop.hbase.rest.RESTServer';

type ServerName = 'master' | 'backupMaster' | 'regionServer' | 'secondRegionServer';

export type Hbase = {
  /** `host:port` of the first master and of the first region server. */
  master: string;
  regionServer: string;
  restUrl: string;
  /** Its ZooKeeper: what CELLPOST_COORDINATION takes. */
  coordination(chroot: string): string;
  /** Starts a second region server. @returns its `host:port` */
  addRegionServer(): Promise<string>;
  /** Starts a second master, which waits for the end of the first. @returns its `host:port` */
  addMaster(): Promise<string>;
  /** kill -9 of a server; restart() starts it again on the same port and data, and waits until it works. */
  kill(server: ServerName): Promise<void>;
  restart(server: ServerName): Promise<void>;
  /** Waits until a master is active and has all region servers that run. */
  ready(): Promise<void>;
  /** SIGSTOP and SIGCONT of the first region server: one that hangs. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** Of a server that runs. */
  pid(server: ServerName): number;
  close(): Promise<void>;
};

/** The end of a server's log that goes into an error. */
const LOG_TAIL_CHARS = 2_000;

export type HbaseOptions = {
  sessionTimeoutMs?: number;
  /** Of each server. */
  heapMib?: number;
};
const HEAP_MIB = 320;

/**
 * @param options.sessionTimeoutMs how long a server may hang before it is given up; the default is that of cells
 * @throws when there is no Java, or the jars have to be fetched and there is no Maven
 */
export async function startHbase(options: HbaseOptions = {}): Promise<Hbase> {
  const jars = await hbaseJars();
  const zookeeper = await startZooKeeper();
  const home = await mkdtemp(join(tmpdir(), 'cellpost-hbase-'));
  const ports: Record<ServerName, number> = {
    master: await freePort(),
    backupMaster: await freePort(),
    regionServer: await freePort(),
    secondRegionServer: await freePort(),
  };
  const infoPorts = { master: await freePort(), backupMaster: await freePort() };
  const restPort = await freePort();
  const conf = join(home, 'conf');
  const web = join(home, 'web');
  for (const name of ['master', 'regionserver', 'rest', 'static'])
    await mkdir(join(web, 'hbase-webapps', name), { recursive: true });
  await mkdir(conf);
  const settings = {
    ...hbaseSettings({ zookeeperHosts: ['127.0.0.1'], znodeParent: '/hbase', storage: LOCAL_STORAGE }),
    'hbase.zookeeper.property.clientPort': zookeeper.connect.split(':')[1] ?? '',
    'hbase.rootdir': `file://${join(home, 'data')}`,
    'hbase.tmp.dir': join(home, 'tmp'),
    'hbase.master.hostname': 'localhost',
    'hbase.unsafe.regionserver.hostname': 'localhost',
    'hbase.master.ipc.address': '127.0.0.1',
    'hbase.regionserver.ipc.address': '127.0.0.1',
    'hbase.rest.host': '127.0.0.1',
    'hbase.master.port': String(ports.master),
    'hbase.regionserver.port': String(ports.regionServer),
    'hbase.master.info.port': String(infoPorts.master),
    'hbase.master.info.bindAddress': '127.0.0.1',
    'hbase.regionserver.info.port': '-1',
    ...(options.sessionTimeoutMs && { 'zookeeper.session.timeout': String(options.sessionTimeoutMs) }),
  };
  await writeFile(join(conf, 'hbase-site.xml'), siteXml(settings));
  await writeFile(join(conf, 'log4j.properties'), script('log4j.properties').replace('INFO', 'WARN'));
  const javaOptions = hbaseJavaOptions(options.heapMib ?? HEAP_MIB).map((option) =>
    option
      .replace('file:/conf/', `file:${conf}/`)
      .replace('-Djava.io.tmpdir=/tmp', `-Djava.io.tmpdir=${home}`),
  );
  const logOf = (name: string): string => join(home, `${name}.log`);
  const java = async (name: string, args: string[]): Promise<ChildProcess> => {
    const log = await open(logOf(name), 'a');
    const child = spawn('java', [...javaOptions, '-cp', `${conf}:${web}:${jars}/*`, ...args], {
      stdio: ['ignore', log.fd, log.fd],
    });
    try {
      await once(child, 'spawn');
      endWithUs(child, home);
    } finally {
      await log.close();
    }
    return child;
  };
  const set = (name: string, value: number): string[] => ['-D', `${name}=${value}`];
  const backup = [
    ...set('hbase.master.port', ports.backupMaster),
    ...set('hbase.master.info.port', infoPorts.backupMaster),
  ];
  const start: Record<ServerName, () => Promise<ChildProcess>> = {
    master: () => java('master', [MASTER, 'start']),
    backupMaster: () => java('backupMaster', [MASTER, ...backup, 'start']),
    regionServer: () => java('regionServer', [REGION_SERVER, 'start']),
    secondRegionServer: () =>
      java('secondRegionServer', [
        REGION_SERVER,
        ...set('hbase.regionserver.port', ports.secondRegionServer),
        'start',
      ]),
  };
  const children: Partial<Record<ServerName | 'rest', ChildProcess>> = {};
  const close = async (): Promise<void> => {
    await Promise.all(Object.values(children).map(end));
    await zookeeper.close();
    await rm(home, { recursive: true, force: true });
  };
  const ready = async (): Promise<void> => {
    const runs = (name: ServerName): boolean => isRunning(children[name]);
    const live = (['regionServer', 'secondRegionServer'] as const).filter(runs).map((name) => ports[name]);
    const masters = (['master', 'backupMaster'] as const).filter(runs).map((name) => infoPorts[name]);
    // What a test has killed is not waited for; what ends while it is waited for is an error.
    const running = Object.values(children).filter(isRunning);
    try {
      await until(() => isReady(masters, live, running), {
        timeoutMs: START_DEADLINE_MS,
        what: 'HBase to be ready',
      });
    } catch (error) {
      const logs = await Promise.all(
        Object.keys(children).map(async (name) => {
          const text = await readFile(logOf(name), 'utf8').catch(() => '');
          return `${name}: ${text.slice(-LOG_TAIL_CHARS)}`;
        }),
      );
      throw new Error(logs.join('\n'), { cause: error });
    }
  };
  const restUrl = `http://127.0.0.1:${restPort}`;
  try {
    children.master = await start.master();
    children.regionServer = await start.regionServer();
    children.rest = await java('rest', [REST, 'start', '-p', String(restPort), '--infoport', '-1']);
    await ready();
    await until(async () => (await fetch(`${restUrl}/version`).catch(() => undefined))?.ok === true, {
      timeoutMs: START_DEADLINE_MS,
      what: 'HBase REST to answer',
    });
  } catch (error) {
    await close();
    throw error;
  }
  const addressOf = (name: ServerName): string => `localhost:${ports[name]}`;
  const add = async (name: ServerName): Promise<string> => {
    children[name] = await start[name]();
    await ready();
    return addressOf(name);
  };
  return {
    master: addressOf('master'),
    regionServer: addressOf('regionServer'),
    restUrl,
    coordination: (chroot) => zookeeper.url(chroot),
    addRegionServer: () => add('secondRegionServer'),
    addMaster: () => add('backupMaster'),
    kill: async (server) => await end(children[server]),
    restart: async (server) => void (await add(server)),
    ready,
    signal: (name) => void children.regionServer?.kill(name),
    pid(server) {
      const pid = children[server]?.pid;
      if (pid === undefined || !isRunning(children[server])) throw new Error(`${server} does not run.`);
      return pid;
    },
    close,
  };
}

const isRunning = (child: ChildProcess | undefined): boolean =>
  child !== undefined && child.exitCode === null && child.signalCode === null;

/** A master is active and has the region servers in its live list. */
async function isReady(
  masterInfoPorts: number[],
  regionServerPorts: number[],
  children: ChildProcess[],
): Promise<boolean> {
  const dead = children.find((child) => !isRunning(child));
  if (dead) throw new Error(`A server of HBase has ended with ${dead.exitCode ?? dead.signalCode}.`);
  const masters = await Promise.all(masterInfoPorts.map(askMaster));
  return masters.some(
    (bean) =>
      bean?.['tag.isActiveMaster'] === 'true' &&
      Number(bean.masterFinishedInitializationTime) > 0 &&
      regionServerPorts.every((port) => String(bean['tag.liveRegionServers']).includes(`,${port},`)),
  );
}

/** @returns undefined when it does not answer (yet) */
async function askMaster(infoPort: number): Promise<Record<string, unknown> | undefined> {
  const query = 'Hadoop:service=HBase,name=Master,sub=Server';
  const response = await fetch(`http://127.0.0.1:${infoPort}/jmx?qry=${query}`).catch(() => undefined);
  if (!response?.ok) return undefined;
  const { beans } = (await response.json()) as { beans: Record<string, unknown>[] };
  return beans[0];
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || !isRunning(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
