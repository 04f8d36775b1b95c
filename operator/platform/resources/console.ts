// The console, and what it finds the platform's processes by: a headless Service for each workload, whose name stands for all of
// its pods, ready or not.
import { peer, service, servicePort, type Service } from '../../resources/manifests.ts';
import { childMeta, roleName, selectorOf, serviceHost, type Role } from '../../resources/owner.ts';
import { podsOf, to } from '../../resources/peers.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { PlatformSpec } from '../../types.ts';
import {
  CONSOLE_PORT,
  COUNTS_PORT,
  DISCOVERY_PORT,
  USER_INDEX_PORT,
  type PlatformContext,
} from '../context.ts';
import { MTA_HTTP_PORT, serviceResources, toUsers, WEB_ADMIN_PORT } from './services.ts';

type ConsoleSpec = NonNullable<PlatformSpec['console']>;

/** One holds the history; another would have its own. */
const REPLICAS = 1;

const TARGETS: [Role, number][] = [
  ['discovery', DISCOVERY_PORT],
  ['mta-proxy', MTA_HTTP_PORT],
  ['user-index', USER_INDEX_PORT],
  ['memcache-dirty', COUNTS_PORT],
  ['web', WEB_ADMIN_PORT],
];

export function consoleResources(
  context: PlatformContext,
  spec: PlatformSpec,
  { resources, namespaces }: ConsoleSpec,
  credentials: Record<string, string>,
): KubeObject[] {
  const { owner } = context;
  const targets = TARGETS.filter(([role]) => role !== 'memcache-dirty' || spec.counts);
  const places = targets.map(([role, port]) => ({ workload: role, host: podsHost(context, role), port }));
  return [
    ...targets.map(([role, port]) => podsService(context, role, port)),
    ...serviceResources(context, credentials, {
      role: 'console',
      replicas: REPLICAS,
      resources,
      type: 'ClusterIP',
      httpPort: CONSOLE_PORT,
      blobs: false,
      servicePorts: [servicePort('http', CONSOLE_PORT, CONSOLE_PORT)],
      allow: [
        {
          // cellctl runs in the pods of the MTA proxy.
          from: [...podsOf(owner, ['mta-proxy']), ...namespaces.map((namespace) => peer(namespace, {}))],
          ports: [CONSOLE_PORT],
        },
      ],
      calls: [
        ...toUsers(context),
        ...targets.flatMap(([role, port]) => (role === 'discovery' ? [] : to(owner, [role], port))),
      ],
      env: [
        { name: 'CELLPOST_DISCOVERY_URL', value: context.discoveryUrl },
        {
          name: 'CELLPOST_CONSOLE_TARGETS',
          value: [...places, ...operatorPlace(context)]
            .map(({ workload, host, port }) => `${workload}=dns:${host}:${port}`)
            .join(','),
        },
      ],
    }),
  ];
}

/** The chart brings its Service: the operator is not of the platform, and may be elsewhere. */
const operatorPlace = ({ operatorPods }: PlatformContext) =>
  operatorPods ? [{ workload: 'operator', ...operatorPods }] : [];

function podsService({ owner }: PlatformContext, role: Role, port: number): Service {
  return service(childMeta(owner, `${roleName(owner, role)}${PODS}`, role), {
    clusterIP: 'None',
    // One that is not ready is the more worth a look.
    publishNotReadyAddresses: true,
    selector: selectorOf(owner, role),
    ports: [servicePort('http', port, port)],
  });
}

const PODS = '-pods';

const podsHost = ({ owner }: PlatformContext, role: Role): string =>
  serviceHost(owner, role).replace('.', `${PODS}.`);
