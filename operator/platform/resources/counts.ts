// Counts of unread messages: the memcache dirty service, and the memcached servers that only it may call.
import type { V1Container } from '@kubernetes/client-node';
import { callTo, onlyTo } from '../../resources/egress.ts';
import {
  disruptionBudget,
  networkPolicy,
  service,
  servicePort,
  statefulSet,
} from '../../resources/manifests.ts';
import { childMeta, podHost, roleName, selectorOf, type Owner } from '../../resources/owner.ts';
import { podsOf, to } from '../../resources/peers.ts';
import { CONTAINER_SECURITY, podTemplate, probeTcp, resourcesOf } from '../../resources/pod.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { MemcachedSpec, PlatformSpec } from '../../types.ts';
import { COUNTS_PORT, type PlatformContext } from '../context.ts';
import { serviceResources, toUsers } from './services.ts';

const MEMCACHED_PORT = 11211;
/** Of memcached beside its items: the hash table, buffers of connections, the program. */
const BESIDES_ITEMS_MIB = 48;
/** The hash table grows with the items. */
const TABLE_SHARE = 0.1;
/** Every replica of the memcache dirty service holds one; a few more for people who look. */
const MAX_CONNECTIONS = 256;
/** It answers from memory: more threads than this only help where it has more processors. */
const THREADS = 2;
/** It has nothing to finish. */
const GRACE_SECONDS = 5;

type CountsSpec = NonNullable<PlatformSpec['counts']>;

/** Does the platform run memcached servers of its own? */
export const hasMemcached = ({ counts }: PlatformSpec): boolean => counts?.memcached.servers.length === 0;

export function countsResources(
  context: PlatformContext,
  { replicas, resources, memcached }: CountsSpec,
  credentials: Record<string, string>,
): KubeObject[] {
  const { owner } = context;
  return serviceResources(context, credentials, {
    role: 'memcache-dirty',
    replicas,
    resources,
    type: 'ClusterIP',
    httpPort: COUNTS_PORT,
    blobs: false,
    servicePorts: [servicePort('http', COUNTS_PORT, COUNTS_PORT)],
    allow: [
      {
        from: podsOf(owner, ['web', 'console']),
        ports: [COUNTS_PORT],
      },
    ],
    calls: [
      ...toUsers(context),
      ...(memcached.servers.length > 0
        ? memcached.servers.map((server) => callTo(`memcached://${server}`, owner.domain))
        : [to(owner, ['memcached'], MEMCACHED_PORT)]),
    ],
    env: [
      { name: 'CELLPOST_DISCOVERY_URL', value: context.discoveryUrl },
      { name: 'CELLPOST_MEMCACHED', value: memcachedServers(owner, memcached).join(',') },
    ],
  });
}

/** By their pods' names: each key has one server, wherever the others are. */
function memcachedServers(owner: Owner, { replicas, servers }: MemcachedSpec): string[] {
  if (servers.length > 0) return servers;
  return Array.from(
    { length: replicas },
    (_, ordinal) => `${podHost(owner, 'memcached', ordinal)}:${MEMCACHED_PORT}`,
  );
}

export function memcachedResources(
  { owner, images, egress }: PlatformContext,
  spec: MemcachedSpec,
): KubeObject[] {
  const name = roleName(owner, 'memcached');
  const meta = childMeta(owner, name, 'memcached');
  const selector = selectorOf(owner, 'memcached');
  return [
    service(meta, {
      clusterIP: 'None',
      selector,
      ports: [servicePort('memcached', MEMCACHED_PORT, MEMCACHED_PORT)],
    }),
    disruptionBudget(meta, selector),
    networkPolicy(
      meta,
      selector,
      [
        {
          from: podsOf(owner, ['memcache-dirty']),
          ports: [MEMCACHED_PORT],
        },
      ],
      // It calls nobody.
      onlyTo(egress, []),
    ),
    statefulSet(meta, {
      serviceName: name,
      replicas: spec.replicas,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'RollingUpdate' },
      selector: { matchLabels: selector },
      template: podTemplate({
        owner,
        role: 'memcached',
        // It reads nothing at its start but its arguments.
        configHash: '',
        terminationGracePeriodSeconds: GRACE_SECONDS,
        containers: [container(images, spec)],
        volumes: [],
      }),
    }),
  ];
}

function container(images: PlatformContext['images'], { memoryMiB }: MemcachedSpec): V1Container {
  const memory = `${Math.ceil(memoryMiB * (1 + TABLE_SHARE)) + BESIDES_ITEMS_MIB}Mi`;
  const options = { '-l': '0.0.0.0', '-p': MEMCACHED_PORT, '-U': 0, '-m': memoryMiB };
  const limits = { '-c': MAX_CONNECTIONS, '-t': THREADS };
  return {
    name: 'memcached',
    image: images.memcached,
    imagePullPolicy: images.pullPolicy,
    securityContext: CONTAINER_SECURITY,
    command: ['memcached', ...Object.entries({ ...options, ...limits }).flatMap((pair) => pair.map(String))],
    ports: [{ name: 'memcached', containerPort: MEMCACHED_PORT, protocol: 'TCP' }],
    startupProbe: probeTcp(MEMCACHED_PORT, { periodSeconds: 1, failureThreshold: 30, timeoutSeconds: 3 }),
    livenessProbe: probeTcp(MEMCACHED_PORT, { periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 }),
    readinessProbe: probeTcp(MEMCACHED_PORT, { periodSeconds: 2, failureThreshold: 2, timeoutSeconds: 3 }),
    // All of it is asked for: it fills its memory by and by, and is to be there for it.
    resources: resourcesOf({ requests: { cpu: '20m', memory }, limits: { memory } }),
  };
}
