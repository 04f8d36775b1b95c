// A real HBase for tests: ZooKeeper, master, region server and REST as processes on 127.0.0.1 over a temporary folder, with
// the settings that cells have.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hbaseJars } from '../../images/hbase/jars.ts';
import { hbaseSettings, hbaseSiteXml } from '../../operator/cell/resources/hbase-site.ts';
import { hbaseJavaOptions } from '../../operator/resources/java.ts';
import { script } from '../../operator/resources/scripts.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/wait.ts';
import { startZooKeeper } from './zookeeper.ts';

const START_DEADLINE_MS = 120_000;
const MASTER = 'org.apache.hadoop.hbase.master.HMaster';
const REGION_SERVER = 'org.apache.hadoop.hbase.regionserver.HRegionServer';
const REST = 'org.apache.hadoop.hbase.rest.RESTServer';

export type Hbase = {
  /** `host:port` of the master and of the region server. */
  master: string;
  regionServer: string;
  restUrl: string;
  /** kill -9 of a server; restart() starts it again on the same port and data. */
  kill(server: 'master' | 'regionServer'): Promise<void>;
  restart(server: 'master' | 'regionServer'): Promise<void>;
  /** SIGSTOP and SIGCONT of the region server: one that hangs. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  close(): Promise<void>;
};

/** @throws when there is no Java, or the jars have to be fetched and there is no Maven */
export async function startHbase(): Promise<Hbase> {
  const jars = await hbaseJars();
  const zookeeper = await startZooKeeper();
  const home = await mkdtemp(join(tmpdir(), 'cellpost-hbase-'));
  const [masterPort, regionServerPort, restPort, infoPort] = [
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
  };
  await writeFile(join(conf, 'hbase-site.xml'), hbaseSiteXml(settings));
  await writeFile(join(conf, 'log4j.properties'), script('log4j.properties').replace('INFO', 'WARN'));
  const options = hbaseJavaOptions(320).map((option) =>
    option
      .replace('file:/conf/', `file:${conf}/`)
      .replace('-Djava.io.tmpdir=/tmp', `-Djava.io.tmpdir=${home}`),
  );
  const java = async (...main: string[]): Promise<ChildProcess> => {
    const child = spawn('java', [...options, '-cp', `${conf}:${web}:${jars}/*`, ...main], {
      stdio: 'ignore',
    });
    await once(child, 'spawn');
    return child;
  };
  const start = {
    master: () => java(MASTER, 'start'),
    regionServer: () => java(REGION_SERVER, 'start'),
  };
  const children: Partial<Record<'master' | 'regionServer' | 'rest', ChildProcess>> = {};
  const close = async (): Promise<void> => {
    await Promise.all(Object.values(children).map(end));
    await zookeeper.close();
    await rm(home, { recursive: true, force: true });
  };
  const ready = async (): Promise<void> => {
    await until(() => isReady(infoPort, regionServerPort, Object.values(children)), {
      timeoutMs: START_DEADLINE_MS,
      what: 'HBase to be ready',
    });
  };
  const restUrl = `http://127.0.0.1:${restPort}`;
  try {
    children.master = await start.master();
    children.regionServer = await start.regionServer();
    children.rest = await java(REST, 'start', '-p', String(restPort), '--infoport', '-1');
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
    kill: async (server) => await end(children[server]),
    async restart(server) {
      children[server] = await start[server]();
      await ready();
    },
    signal: (name) => void children.regionServer?.kill(name),
    close,
  };
}

/** The master is active and has the region server in its live list. */
async function isReady(
  infoPort: number,
  regionServerPort: number,
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
    String(bean['tag.liveRegionServers']).includes(`,${regionServerPort},`)
  );
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
