// What the servers of a cell say of themselves, asked through the API server: whoever plans stands outside of the cluster's
// network. It needs the rights to exec into ZooKeeper's pods and to proxy to the others; what can't be asked is told.
import { Writable } from 'node:stream';
import { Exec, HttpMethod, type KubeConfig } from '@kubernetes/client-node';
import { request } from 'undici';
import { z } from 'zod';
import type { AppServerFacts, RollFacts, ZooKeeperFacts } from '../../operator/cell/roll/facts.ts';
import { APP_SERVER_PORT } from '../../operator/cell/resources/app-servers.ts';
import { COMPONENT, type Role } from '../../operator/resources/owner.ts';
import { askBy } from '../../operator/outside/app-server.ts';
import { parseMonitor } from '../../operator/outside/zookeeper.ts';
import type { Connections } from '../../operator/runtime/connections.ts';
import type { PodObject } from '../../operator/world.ts';
import type { LiveCell } from './live.ts';

const TIMEOUT_MS = 5_000;
const MONITOR = ['sh', '-c', 'echo mntr | nc -w 2 127.0.0.1 2181'];
const NAME_NODE = { port: 9870, query: 'Hadoop:service=NameNode,name=FSNamesystem', tag: 'tag.HAState' };
const MASTER = {
  port: 16_010,
  query: 'Hadoop:service=HBase,name=Master,sub=Server',
  tag: 'tag.isActiveMaster',
};
const BEANS = z.object({ beans: z.array(z.record(z.string(), z.unknown())) });

export type Way = { config: KubeConfig; connections: Connections };

/** @returns also the pods that could not be asked */
export async function askServers(way: Way, live: LiveCell): Promise<{ facts: RollFacts; unasked: string[] }> {
  const { cell, pods } = live;
  const { spec } = cell;
  const unasked: string[] = [];
  const ask = async <T>(role: Role, question: (pod: PodObject) => Promise<T>): Promise<Map<string, T>> => {
    const found = pods.filter(({ metadata }) => metadata.labels?.[COMPONENT] === role);
    const answers = await Promise.all(
      found.map(async (pod) => {
        const { name } = pod.metadata;
        try {
          return [[name, await question(pod)] as const];
        } catch {
          unasked.push(name);
          return [];
        }
      }),
    );
    return new Map(answers.flat());
  };
  const isActive =
    ({ port, query, tag }: typeof MASTER) =>
    async (pod: PodObject) => {
      const text = await read(way, pod, port, '/jmx', { qry: query });
      const value = BEANS.parse(JSON.parse(text)).beans[0]?.[tag];
      return value === 'active' || value === 'true';
    };
  const [zookeeper, nameNodes, masters, appServers] = await Promise.all([
    ask('zookeeper', (pod) => monitor(way, pod)),
    ask('name-node', isActive(NAME_NODE)),
    ask('hbase-master', isActive(MASTER)),
    ask('app-server', (pod) => appServer(way, pod)),
  ]);
  const { maxErrorPercent, maxP99Ms } = spec.rollout.gates;
  const wanted = { zookeeper: spec.zookeeper.replicas, appServers: spec.appServers.replicas };
  const facts: RollFacts = {
    bounds: { maxErrorPercent, maxP99Ms },
    goesBack: [],
    wanted,
    // A quorum of which not all servers could be asked is not judged.
    ...(zookeeper.size === wanted.zookeeper && { zookeeper }),
    ...(nameNodes.size > 0 && { storage: leadersOnly(nameNodes, masters) }),
    appServers: [...appServers.values()],
    // Each process of discovery is asked by the operator only.
    discovery: [],
  };
  return { facts, unasked: unasked.toSorted() };
}

/** Who leads; what else the storage says is for the operator's gates. */
function leadersOnly(
  nameNodes: Map<string, boolean>,
  masters: Map<string, boolean>,
): NonNullable<RollFacts['storage']> {
  const well = { safeMode: false, short: 0, missing: 0, leaving: 0, resting: 0 };
  return {
    nameNodes: new Map([...nameNodes].map(([name, active]) => [name, { ...well, active }])),
    masters: new Map(
      [...masters].map(([name, active]) => [name, { active, regionsInTransition: 0, regionServers: [] }]),
    ),
    wantedRegionServers: 0,
  };
}

/** @throws when it does not answer */
async function monitor({ config }: Way, { metadata }: PodObject): Promise<ZooKeeperFacts> {
  const { name, namespace = '' } = metadata;
  let said = '';
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      said += chunk.toString();
      done();
    },
  });
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${name} did not answer in time.`)), TIMEOUT_MS);
    new Exec(config)
      .exec(namespace, name, 'zookeeper', MONITOR, output, null, null, false, () => {
        clearTimeout(late);
        resolve();
      })
      .catch((error: unknown) => {
        clearTimeout(late);
        reject(error instanceof Error ? error : new Error(String(error)));
      });
  });
  const facts = parseMonitor(said);
  if (!facts) throw new Error(`${name} is in no quorum.`);
  return facts;
}

/** @throws when it does not answer */
async function appServer(way: Way, pod: PodObject): Promise<AppServerFacts> {
  const answers = await askBy(() => read(way, pod, APP_SERVER_PORT, '/metrics'));
  return { pod: pod.metadata.name, newest: false, readySeconds: 0, answers };
}

/** By the API server's proxy. @throws when the pod, or the API server, does not answer with 200 */
async function read(
  { connections }: Way,
  { metadata: { name, namespace = '' } }: PodObject,
  port: number,
  path: string,
  query: Record<string, string> = {},
): Promise<string> {
  const at = `/api/v1/namespaces/${namespace}/pods/${name}:${port}/proxy${path}`;
  const { url, headers, dispatcher } = await connections.target(HttpMethod.GET, at, query);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const { statusCode, body } = await request(url, { headers, signal, ...(dispatcher && { dispatcher }) });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
  return text;
}
