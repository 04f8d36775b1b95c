// A ZooKeeper ensemble: of a cell, or discovery's own.
import { hashOf } from '../runtime/apply.ts';
import type { KubeObject } from '../runtime/resources.ts';
import type { PullPolicy, ZooKeeperSpec } from '../types.ts';
import { onlyTo, type Egress } from './egress.ts';
import { heapMib, zookeeperJavaOptions } from './java.ts';
import {
  configMap,
  disruptionBudget,
  networkPolicy,
  service,
  servicePort,
  statefulSet,
  type Peer,
} from './manifests.ts';
import { childMeta, podHost, roleName, selectorOf, serviceHost, type Owner } from './owner.ts';
import { CONTAINER_SECURITY, claimTemplate, podTemplate, probeScript, probeTcp, resourcesOf } from './pod.ts';
import { script } from './scripts.ts';

export const CLIENT_PORT = 2181;
const PEER_PORT = 2888;
const ELECTION_PORT = 3888;
/** Measured: 75 MB resident with a heap of 64 MB. */
const BESIDES_HEAP_MIB = 80;
const ROLE = 'zookeeper';

export type ZooKeeperOptions = {
  owner: Owner;
  spec: ZooKeeperSpec;
  image: string;
  pullPolicy: PullPolicy;
  /** Who may connect as a client. */
  clients: Peer[];
  egress: Egress;
};

/** `zookeeper://host:2181,…/chroot` for our own programs. */
export function zookeeperUrl(owner: Owner, replicas: number, chroot: string): string {
  return `zookeeper://${zookeeperHosts(owner, replicas)
    .map((host) => `${host}:${CLIENT_PORT}`)
    .join(',')}${chroot}`;
}

/**
 * Where clients connect: enough servers that one of them lives while there is a quorum, and three if there are as many.
 * So an ensemble that grows from 3 to 5 or shrinks again changes nothing for its clients.
 */
export function zookeeperHosts(owner: Owner, replicas: number): string[] {
  const majority = Math.floor(replicas / 2) + 1;
  const count = Math.min(replicas, Math.max(majority, LEAST_NAMED));
  return Array.from({ length: count }, (_, ordinal) => podHost(owner, ROLE, ordinal));
}
const LEAST_NAMED = 3;

/** A server as the ensemble's configuration names it; its number is one above its pod's. */
export function memberLine(owner: Owner, ordinal: number): string {
  const host = podHost(owner, ROLE, ordinal);
  return `server.${ordinal + 1}=${host}:${PEER_PORT}:${ELECTION_PORT}:participant;${CLIENT_PORT}`;
}

export function zookeeperResources(options: ZooKeeperOptions): KubeObject[] {
  const { owner, spec } = options;
  const name = roleName(owner, ROLE);
  const selector = selectorOf(owner, ROLE);
  const meta = childMeta(owner, name, ROLE);
  const members = [{ podSelector: { matchLabels: selector } }];
  const ports = [CLIENT_PORT, PEER_PORT, ELECTION_PORT];
  const files = {
    'start.sh': script('zookeeper-start.sh'),
    'live.sh': script('zookeeper-live.sh'),
    'ready.sh': script('zookeeper-ready.sh'),
    'log4j.properties': script('log4j.properties'),
  };
  return [
    // Read only when a pod starts on a blank volume: a change restarts nothing.
    configMap(meta, { ...files, members: String(spec.replicas) }),
    service(meta, {
      clusterIP: 'None',
      // Members find each other before they are ready: that is how they get ready.
      publishNotReadyAddresses: true,
      selector,
      ports: [
        servicePort('client', CLIENT_PORT, CLIENT_PORT),
        servicePort('peer', PEER_PORT, PEER_PORT),
        servicePort('election', ELECTION_PORT, ELECTION_PORT),
      ],
    }),
    disruptionBudget(meta, selector),
    networkPolicy(
      meta,
      selector,
      [
        { from: options.clients, ports: [CLIENT_PORT] },
        { from: members, ports },
      ],
      onlyTo(options.egress, [{ to: members, ports }]),
    ),
    statefulSet(meta, {
      serviceName: name,
      replicas: spec.servers ?? spec.replicas,
      // In order, with readiness by quorum, the first would wait for the second for ever.
      podManagementPolicy: 'Parallel',
      // The operator replaces pods by its plan.
      updateStrategy: { type: 'OnDelete' },
      selector: { matchLabels: selector },
      template: podTemplate({
        owner,
        role: ROLE,
        configHash: hashOf(files),
        terminationGracePeriodSeconds: 10,
        containers: [container(options)],
        volumes: [
          { name: 'conf', configMap: { name } },
          { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
        ],
      }),
      volumeClaimTemplates: [claimTemplate(owner, ROLE, 'data', spec.storage)],
    }),
  ];
}

function container({
  owner,
  spec,
  image,
  pullPolicy,
}: ZooKeeperOptions): Parameters<typeof podTemplate>[0]['containers'][number] {
  const live = { periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 3 };
  return {
    name: ROLE,
    image,
    imagePullPolicy: pullPolicy,
    securityContext: CONTAINER_SECURITY,
    command: ['sh', '/conf/start.sh'],
    env: [
      { name: 'STATEFUL_SET', value: roleName(owner, ROLE) },
      { name: 'SERVICE', value: serviceHost(owner, ROLE) },
      {
        name: 'JVM_OPTIONS',
        value: zookeeperJavaOptions(heapMib(spec.resources, BESIDES_HEAP_MIB), spec.jvm),
      },
    ],
    ports: [
      { name: 'client', containerPort: CLIENT_PORT, protocol: 'TCP' },
      { name: 'peer', containerPort: PEER_PORT, protocol: 'TCP' },
      { name: 'election', containerPort: ELECTION_PORT, protocol: 'TCP' },
    ],
    startupProbe: probeScript('/conf/live.sh', { ...live, periodSeconds: 1, failureThreshold: 120 }),
    // By the kubelet itself: on a busy machine scripts come too late, and a server that is killed for it makes it busier.
    livenessProbe: probeTcp(CLIENT_PORT, { periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 }),
    readinessProbe: probeScript('/conf/ready.sh', {
      periodSeconds: 5,
      failureThreshold: 2,
      timeoutSeconds: 3,
    }),
    resources: resourcesOf(spec.resources),
    volumeMounts: [
      { name: 'data', mountPath: '/data' },
      { name: 'conf', mountPath: '/conf', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}
