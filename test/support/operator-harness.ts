// An operator with the chart's rights at a real API server and Kubernetes' own StatefulSet controller. There is no node: a
// stand-in for the kubelet says of each pod that it runs, or does not, as a test wants it. So rolls can be tried step by step.
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { AnswersOfServer, Share } from '../../operator/cell/roll/facts.ts';
import { start, type RunningOperator } from '../../operator/main.ts';
import { discoveryAdmin } from '../../operator/outside/discovery.ts';
import { KubeApi } from '../../operator/runtime/api.ts';
import { Connections } from '../../operator/runtime/connections.ts';
import { OperatorMetrics } from '../../operator/runtime/metrics.ts';
import { TYPES } from '../../operator/runtime/resources.ts';
import type { Cell } from '../../operator/types.ts';
import type { PodObject } from '../../operator/world.ts';
import { WorkloadMetrics } from '../../workloads/common/metrics/workload-metrics.ts';
import { startApiServer, type ApiServer } from '../real/apiserver.ts';
import { standInForDiscovery } from './discovery-stand-in.ts';
import { installForOperator, operatorSettings } from './operator-set-up.ts';
import { until } from './wait.ts';

const DEADLINE_MS = 90_000;
const KUBELET_MS = 150;
const CONTROLLERS =
  '--controllers=statefulset-controller,serviceaccount-controller,garbage-collector-controller,persistentvolumeclaim-protection-controller';

export type RunningPod = PodObject & { spec: { containers: { name: string; image: string }[] } };
/** What a test decides of a pod. */
export type Behaviour = {
  /** Undefined: it runs and is ready. Else why its container waits, such as CrashLoopBackOff. */
  waiting(pod: RunningPod): string | undefined;
  /** Of an app server; undefined: it does not tell. */
  answers(pod: RunningPod): AnswersOfServer | undefined;
};

const share = (answered: number, failed = 0): Share => ({ answered, failed });
/** An app server that answers so many requests of a kind, some of which fail, lately as ever since. */
export function answering(failedOf100: number, p99Ms = 20): AnswersOfServer {
  const kind = share(1_000, 10 * failedOf100);
  const answers = { requests: kind, calls: share(1_000), deliveries: share(1_000), p99Ms };
  return { lately: answers, everSince: answers };
}

export class OperatorHarness {
  readonly server: ApiServer;
  readonly behaviour: Behaviour = { waiting: () => undefined, answers: () => answering(0) };
  operator: RunningOperator | undefined;
  readonly #kubeconfig: string;
  readonly #discovery: Awaited<ReturnType<typeof standInForDiscovery>>;
  readonly #connections: Connections;
  readonly #api: KubeApi;
  readonly #stop = new AbortController();
  readonly #kubelet: Promise<void>;
  /** By address. */
  readonly #pods = new Map<string, RunningPod>();
  readonly #addresses = new Map<string, string>();

  static async start(): Promise<OperatorHarness> {
    const server = await startApiServer({ controllers: true, flags: { controllers: [CONTROLLERS] } });
    let harness: OperatorHarness | undefined;
    try {
      const kubeconfig = await installForOperator(server);
      harness = new OperatorHarness(server, kubeconfig, await standInForDiscovery());
      await until(async () => server.kubectl(['get', 'serviceaccount', 'default']).catch(() => undefined), {
        timeoutMs: DEADLINE_MS,
        what: 'the service account that pods want',
      });
      await harness.#applyPlatform();
      await harness.startOperator();
      return harness;
    } catch (error) {
      await (harness ?? server).close();
      throw error;
    }
  }

  constructor(
    server: ApiServer,
    kubeconfig: string,
    discovery: Awaited<ReturnType<typeof standInForDiscovery>>,
  ) {
    this.server = server;
    this.#kubeconfig = kubeconfig;
    this.#discovery = discovery;
    this.#connections = new Connections(server.config);
    this.#api = new KubeApi(this.#connections, new OperatorMetrics(new WorkloadMetrics('operator')));
    this.#kubelet = this.#runPods();
  }

  async startOperator(kubeconfig = this.#kubeconfig): Promise<void> {
    const { url } = this.#discovery;
    this.operator = await start(operatorSettings(kubeconfig, 'test'), {
      discovery: (_url, token) => discoveryAdmin(url, token),
      ensureSchema: async () => undefined,
      // The one with the highest number leads: in the order of numbers it would go first.
      zookeeper: async (host) => ({
        state: /-zk-2\./.test(host) ? 'leader' : 'follower',
        syncedFollowers: 2,
      }),
      // As servers that hand over when they end.
      appServerPlace: { drain: async () => false, rejoin: async () => undefined },
      appServer: async (at) => {
        const pod = this.#pods.get(new URL(at).hostname);
        return pod && this.behaviour.answers(pod);
      },
    });
  }

  /** A kubeconfig of the operator that reaches the API server by another way. @param url the way's beginning */
  async kubeconfigBy(url: string): Promise<string> {
    const config = new KubeConfig();
    config.loadFromFile(this.#kubeconfig);
    // The library speaks HTTP without TLS only where it is told that this is meant.
    const skipTLSVerify = url.startsWith('http:');
    config.clusters = config.clusters.map((cluster) => ({ ...cluster, server: url, skipTLSVerify }));
    const path = `${this.#kubeconfig}.${new URL(url).port}`;
    await writeFile(path, config.exportConfig(), { mode: 0o600 });
    return path;
  }

  async close(): Promise<void> {
    await this.operator?.close();
    this.#stop.abort();
    await this.#kubelet;
    await this.#connections.close();
    this.#discovery.close();
    await this.server.close();
  }

  /** May do anything. */
  client(): { api: KubeApi; close(): Promise<void> } {
    const connections = new Connections(this.server.config);
    const api = new KubeApi(connections, new OperatorMetrics(new WorkloadMetrics('operator')));
    return { api, close: () => connections.close() };
  }

  apply(...items: unknown[]): Promise<string> {
    return this.server.apply(...items);
  }

  async #applyPlatform(): Promise<void> {
    const s3 = { endpoint: 'http://s3:7070', bucket: 'blobs', secretRef: { name: 's3' } };
    const meta = { namespace: 'default' };
    await this.apply(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...meta, name: 's3' },
        stringData: { accessKeyId: 'id', secretAccessKey: 'key' },
      },
      {
        apiVersion: 'cellpost.dev/v1alpha1',
        kind: 'Platform',
        metadata: { ...meta, name: 'cellpost' },
        spec: { blobStore: { s3 }, zookeeper: { replicas: 3 } },
      },
    );
  }

  /** A small cell of version 1.0 that serves. */
  async bringUp(name: string, spec: Record<string, unknown>): Promise<Cell> {
    await this.apply({
      apiVersion: 'cellpost.dev/v1alpha1',
      kind: 'Cell',
      metadata: { name, namespace: 'default' },
      spec: { zookeeper: { replicas: 1 }, ...spec },
    });
    return await this.waitForCell(
      name,
      'to serve with all its pods',
      ({ status }) => status?.phase === 'Serving' && status.goodImage !== undefined,
    );
  }

  async cell(name: string): Promise<Cell> {
    return JSON.parse(await this.server.kubectl(['get', 'cell', name, '-o', 'json'])) as Cell;
  }

  waitForCell(name: string, what: string, is: (cell: Cell) => unknown): Promise<Cell> {
    let seen: Cell | undefined;
    const ask = async (): Promise<Cell | false> => {
      seen = await this.cell(name);
      return is(seen) ? seen : false;
    };
    const explain = (): string => `It says: ${JSON.stringify(seen?.status)}`;
    return until(ask, { timeoutMs: DEADLINE_MS, what: `cell ${name} ${what}`, explain });
  }

  async patch(name: string, spec: unknown, kind = 'cell'): Promise<void> {
    await this.server.kubectl(['patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec })]);
  }

  /** Pod → uid: another uid is another pod. */
  async uids(owner: string, kind = 'cell'): Promise<Map<string, string>> {
    const { items } = await this.#api.list<PodObject>(TYPES.pod, {
      labelSelector: `cellpost.dev/${kind}=${owner}`,
    });
    return new Map(items.map(({ metadata }) => [metadata.name, metadata.uid ?? '']));
  }

  /** Events of a cell or platform so far, the first one first: `Normal RollPod: its sentence`. */
  async eventsOf(name: string): Promise<string[]> {
    const text = await this.server.kubectl(['get', 'events.events.k8s.io', '-o', 'json']);
    type Event = {
      eventTime: string;
      reason: string;
      type: string;
      note: string;
      regarding: { name: string };
    };
    return (JSON.parse(text) as { items: Event[] }).items
      .filter(({ regarding }) => regarding.name === name)
      .toSorted((a, b) => a.eventTime.localeCompare(b.eventTime))
      .map(({ reason, type, note }) => `${type} ${reason}: ${note}`);
  }

  async #runPods(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const { items } = await this.#api
        .list<RunningPod>(TYPES.pod)
        // The API server may be away, if a test wants it so.
        .catch((): { items: RunningPod[] } => ({ items: [] }));
      await Promise.all(items.map((pod) => this.#run(pod).catch(() => undefined)));
      await delay(KUBELET_MS);
    }
  }

  async #run(pod: RunningPod): Promise<void> {
    const { name, namespace = '', uid = '', deletionTimestamp } = pod.metadata;
    if (deletionTimestamp) return;
    const address = this.#addressOf(uid);
    this.#pods.set(address, pod);
    const waiting = this.behaviour.waiting(pod);
    const is = (type: string): string =>
      pod.status?.conditions?.find((one) => one.type === type)?.status ?? '';
    const ready = waiting === undefined ? 'True' : 'False';
    const said = pod.status?.containerStatuses?.[0]?.state?.waiting?.reason;
    if (is('Ready') === ready && said === waiting) return;
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const condition = (type: string, status: string) => ({ type, status, lastTransitionTime });
    const containerStatuses = pod.spec.containers.map(({ name: container, image }) => ({
      name: container,
      image,
      imageID: '',
      ready: waiting === undefined,
      restartCount: 0,
      state: waiting === undefined ? { running: {} } : { waiting: { reason: waiting } },
    }));
    const status = {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: [condition('PodScheduled', 'True'), condition('Ready', ready)],
      containerStatuses,
    };
    const wanted = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, uid }, status };
    await this.#api.apply(wanted, 'status', 'kubelet');
  }

  #addressOf(uid: string): string {
    const count = this.#addresses.size + 1;
    const address = this.#addresses.get(uid) ?? `10.1.${Math.floor(count / 250)}.${(count % 250) + 1}`;
    this.#addresses.set(uid, address);
    return address;
  }
}
