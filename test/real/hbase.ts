// A real HBase for tests: ZooKeeper, master, region servers and REST as processes on 127.0.0.1 over a temporary folder, with
// the settings that cells have. They end with the test's process at the latest. What they log is shown when a start fails.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hbaseJars } from '../../images/hbase/jars.ts';
import { hbaseSettings, hbaseSiteXml } from '../../operator/cell/resources/hbase-site.ts';
import { hbaseJavaOptions } from '../../operator/resources/java.ts';
import { script } from '../../operator/resources/scripts.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/wait.ts';
import { endWithUs } from './outlive.ts';
import { startZooKeeper } from './zookeeper.ts';

const START_DEADLINE_MS = 120_000;
const MASTER = 'org.apache.hadoop.hbase.master.HMaster';
const REGION_SERVER = 'org.apache.hadoop.hbase.regionserver.HRegionServer';
const REST = 'org.apache.hadoop.hbase.rest.RESTServer';

type ServerName = 'master' | 'regionServer' | 'secondRegionServer';

export type Hbase = {
  /** `host:port` of the master and of the first region server. */
  master: string;
  regionServer: string;
  restUrl: string;
  /** Starts a second region server. @returns its `host:port` */
  addRegionServer(): Promise<string>;
  /** kill -9 of a server; restart() starts it again on the same port and data. */
  kill(server: ServerName): Promise<void>;
  restart(server: ServerName): Promise<void>;
  /** SIGSTOP and SIGCONT of the first region server: one that hangs. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  close(): Promise<void>;
};

/** The end of a server's log that goes into an error. */
const LOG_TAIL_CHARS = 2_000;

/**
 * @param options.sessionTimeoutMs how long a server may hang before it is given up; the default is that of cells
 * @throws when there is no Java, or the jars have to be fetched and there is no Maven
 */
export async function startHbase(options: { sessionTimeoutMs?: number } = {}): Promise<Hbase> {
  const jars = await hbaseJars();
  const zookeeper = await startZooKeeper();
  const home = await mkdtemp(join(tmpdir(), 'cellpost-hbase-'));
  const [masterPort, regionServerPort, secondPort, restPort, infoPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const conf = join(home, 'conf');
  const web = join(home, 'web');
  for (const name of ['master', 'regionserver', 'rest', 'static'])
    await mkdir(join(web, 'hbase-webapps', name), { recursive: true });
  await mkdir(conf);
  const settings = {
    ...hbaseSettings({ zookeeperHosts: ['127.0.0.1'], znodeParent: '/hbase' }),
    'hbase.zookeeper.property.clientPort': zookeeper.connect.split(':')[1] ?? '',
    'hbase.rootdir': `file://${join(home, 'data')}`,
    'hbase.tmp.dir': join(home, 'tmp'),
    'hbase.master.hostname': 'localhost',
    'hbase.unsafe.regionserver.hostname': 'localhost',
    'hbase.master.ipc.address': '127.0.0.1',
    'hbase.regionserver.ipc.address': '127.0.0.1',
    'hbase.rest.host': '127.0.0.1',
    'hbase.master.port': String(masterPort),
    'hbase.regionserver.port': String(regionServerPort),
    'hbase.master.info.port': String(infoPort),
    'hbase.master.info.bindAddress': '127.0.0.1',
    'hbase.regionserver.info.port': '-1',
    ...(options.sessionTimeoutMs && { 'zookeeper.session.timeout': String(options.sessionTimeoutMs) }),
  };
  await writeFile(join(conf, 'hbase-site.xml'), hbaseSiteXml(settings));
  await writeFile(join(conf, 'log4j.properties'), script('log4j.properties').replace('INFO', 'WARN'));
  const javaOptions = hbaseJavaOptions(320).map((option) =>
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
  const start: Record<ServerName, () => Promise<ChildProcess>> = {
    master: () => java('master', [MASTER, 'start']),
    regionServer: () => java('regionServer', [REGION_SERVER, 'start']),
    secondRegionServer: () =>
      java('secondRegionServer', [REGION_SERVER, '-D', `hbase.regionserver.port=${secondPort}`, 'start']),
  };
  const children: Partial<Record<ServerName | 'rest', ChildProcess>> = {};
  const close = async (): Promise<void> => {
    await Promise.all(Object.values(children).map(end));
    await zookeeper.close();
    await rm(home, { recursive: true, force: true });
  };
  const ready = async (): Promise<void> => {
    const ports = [
      children.regionServer && isRunning(children.regionServer) && regionServerPort,
      children.secondRegionServer && isRunning(children.secondRegionServer) && secondPort,
    ].filter((port) => typeof port === 'number');
    try {
      await until(() => isReady(infoPort, ports, Object.values(children)), {
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
  return {
    master: `localhost:${masterPort}`,
    regionServer: `localhost:${regionServerPort}`,
    restUrl,
    async addRegionServer() {
      children.secondRegionServer = await start.secondRegionServer();
      await ready();
      return `localhost:${secondPort}`;
    },
    kill: async (server) => await end(children[server]),
    async restart(server) {
      children[server] = await start[server]();
      await ready();
    },
    signal: (name) => void children.regionServer?.kill(name),
    close,
  };
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

/** The master is active and has the region servers in its live list. */
async function isReady(
  infoPort: number,
  regionServerPorts: number[],
  children: ChildProcess[],
): Promise<boolean> {
  const dead = children.find((child) => child.exitCode !== null);
  if (dead) throw new Error(`A server of HBase has ended with ${dead.exitCode}.`);
  const query = 'Hadoop:service=HBase,name=Master,sub=Server';
  const response = await fetch(`http://127.0.0.1:${infoPort}/jmx?qry=${query}`).catch(() => undefined);
  if (!response?.ok) return false;
  const { beans } = (await response.json()) as { beans: Record<string, unknown>[] };
  const [bean] = beans;
  return (
    bean?.['tag.isActiveMaster'] === 'true' &&
    Number(bean.masterFinishedInitializationTime) > 0 &&
    regionServerPorts.every((port) => String(bean['tag.liveRegionServers']).includes(`,${port},`))
  );
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || !isRunning(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
