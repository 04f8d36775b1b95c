// The stateless services of a platform: discovery, the MTA proxy, the user index, web; those of counts and the console are in counts.ts and console.ts. Each is
// a Deployment with a Service before it.
import type { V1ContainerPort, V1EnvVar, V1ServicePort } from '@kubernetes/client-node';
import { APP_SERVER_PORT } from '../../cell/resources/app-servers.ts';
import { callTo, callToNameServer, onlyTo } from '../../resources/egress.ts';
import {
  deployment,
  disruptionBudget,
  networkPolicy,
  scraping,
  service,
  servicePort,
  type Call,
  type Peer,
} from '../../resources/manifests.ts';
import { COMPONENT, childMeta, roleName, selectorOf, serviceHost, type Role } from '../../resources/owner.ts';
import { operatorOf, podsOf, to } from '../../resources/peers.ts';
import { podTemplate } from '../../resources/pod.ts';
import { SERVICE_VOLUMES, credentialsName, serviceContainer } from '../../resources/service-pod.ts';
import { CLIENT_PORT, zookeeperUrl } from '../../resources/zookeeper.ts';
import { hashOf } from '../../runtime/apply.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { PlatformSpec, Resources, ServiceType } from '../../types.ts';
import {
  CONSOLE_PORT,
  consoleUrl,
  COUNTS_PORT,
  countsUrl,
  DISCOVERY_PORT,
  USER_INDEX_PORT,
  type PlatformContext,
} from '../context.ts';

const SMTP_PORT = 2525;
export const MTA_HTTP_PORT = 8082;
const WEB_PORT = 8080;
export const WEB_ADMIN_PORT = 8180;
/**
 * A pod that is to go takes requests for so long: not every node has heard yet that it is no longer behind its Service.
 * Only then it is told, and stops listening.
 */
const LEAVE_SECONDS = 5;
/** Requests and SMTP sessions in flight may end in the rest of this time. */
const GRACE_SECONDS = LEAVE_SECONDS + 30;
/** One that is ready for a moment only does not make an old pod go. */
const MIN_READY_SECONDS = 5;
/** Discovery's place in its ZooKeeper. */
const CHROOT = '/cellpost';

type ServiceRole = Role & ('discovery' | 'mta-proxy' | 'user-index' | 'memcache-dirty' | 'console' | 'web');
type ServiceOptions = {
  role: ServiceRole;
  replicas: number;
  resources: Resources;
  type: ServiceType;
  httpPort: number;
  /** Of metrics, when the other one is open to the world. */
  adminPort?: number;
  blobs: boolean;
  servicePorts: V1ServicePort[];
  ports?: V1ContainerPort[];
  /** Who may call it, by port; all the world when nobody is named. */
  allow: { from?: Peer[]; ports: number[] }[];
  /** Whom it calls, besides the blob store and who takes traces. */
  calls: Call[];
  env: V1EnvVar[];
};

/** To those of cells, in whichever namespaces. */
const toCells = (role: Role, port: number): Call => ({
  to: [
    {
      namespaceSelector: {},
      podSelector: { matchLabels: { 'app.kubernetes.io/part-of': 'cell', [COMPONENT]: role } },
    },
  ],
  ports: [port],
});

/** Who serves a user, and that server. */
export const toUsers = ({ owner }: PlatformContext): Call[] => [
  to(owner, ['discovery'], DISCOVERY_PORT),
  toCells('app-server', APP_SERVER_PORT),
];

export function discoveryResources(
  context: PlatformContext,
  spec: PlatformSpec,
  credentials: Record<string, string>,
): KubeObject[] {
  const { owner } = context;
  const coordination = zookeeperUrl(owner, spec.zookeeper.replicas, CHROOT);
  return serviceResources(context, credentials, {
    role: 'discovery',
    ...spec.discovery,
    type: 'ClusterIP',
    httpPort: DISCOVERY_PORT,
    // For the last map.
    blobs: true,
    servicePorts: [servicePort('http', DISCOVERY_PORT, DISCOVERY_PORT)],
    allow: [
      {
        from: [
          ...podsOf(owner, ['discovery', 'mta-proxy', 'user-index', 'memcache-dirty', 'web', 'console']),
          operatorOf(context),
        ],
        ports: [DISCOVERY_PORT],
      },
    ],
    calls: [
      to(owner, ['zookeeper'], CLIENT_PORT),
      // Each cell's ring; moves whose mover died are finished.
      toCells('zookeeper', CLIENT_PORT),
      ...toUsers(context),
    ],
    env: [
      { name: 'CELLPOST_COORDINATION', value: coordination },
      // The Service: only replicas that have a map are behind it.
      { name: 'CELLPOST_DISCOVERY_PEERS', value: context.discoveryUrl },
      { name: 'CELLPOST_BLOB_STORE', value: context.blobStoreUrl },
    ],
  });
}

export function mtaProxyResources(
  context: PlatformContext,
  spec: PlatformSpec,
  credentials: Record<string, string>,
): KubeObject[] {
  const { owner } = context;
  const { hostname, maxMessageBytes, service: door, replicas, resources } = spec.mtaProxy;
  return serviceResources(context, credentials, {
    role: 'mta-proxy',
    replicas,
    resources,
    type: door.type,
    httpPort: MTA_HTTP_PORT,
    blobs: true,
    servicePorts: [servicePort('smtp', 25, SMTP_PORT)],
    ports: [{ name: 'smtp', containerPort: SMTP_PORT, protocol: 'TCP' }],
    allow: [
      { ports: [SMTP_PORT] },
      {
        from: podsOf(owner, ['console']),
        ports: [MTA_HTTP_PORT],
      },
    ],
    calls: [
      ...toUsers(context),
      ...(spec.mtaProxy.policy ? [callTo(spec.mtaProxy.policy.url, owner.domain)] : []),
      ...(spec.mtaProxy.authentication?.dnsServers ?? []).flatMap((address) => callToNameServer(address)),
      ...(spec.console ? [to(owner, ['console'], CONSOLE_PORT)] : []),
    ],
    env: [
      { name: 'CELLPOST_DISCOVERY_URL', value: context.discoveryUrl },
      { name: 'CELLPOST_BLOB_STORE', value: context.blobStoreUrl },
      { name: 'CELLPOST_SMTP_HOST', value: '0.0.0.0' },
      { name: 'CELLPOST_SMTP_PORT', value: String(SMTP_PORT) },
      { name: 'CELLPOST_SMTP_HOSTNAME', value: hostname ?? serviceHost(context.owner, 'mta-proxy') },
      { name: 'CELLPOST_MAX_MESSAGE_BYTES', value: String(maxMessageBytes) },
      ...mailEnvironment(spec.mtaProxy),
      // For cellctl; only where there is one: a platform without is not restarted for it.
      ...(spec.console ? [{ name: 'CELLPOST_CONSOLE_URL', value: consoleUrl(context.owner) }] : []),
    ],
  });
}

/** Only what is set: the defaults are the MTA proxy's own. */
function mailEnvironment({ authentication, policy, limits }: PlatformSpec['mtaProxy']): V1EnvVar[] {
  const list = (items: readonly string[] | undefined, none: string): string | undefined =>
    items && (items.join(',') || none);
  const values = {
    CELLPOST_DMARC_ENFORCE: authentication?.enforce,
    CELLPOST_DNS_SERVERS: list(authentication?.dnsServers, ''),
    CELLPOST_TRUSTED_NETWORKS: list(authentication?.trustedNetworks, 'none'),
    CELLPOST_POLICY_URL: policy?.url,
    CELLPOST_POLICY_TIMEOUT_MS: policy?.timeoutMs,
    CELLPOST_POLICY_ON_FAILURE: policy?.onFailure,
    CELLPOST_LIMIT_PER_CLIENT: limits?.client,
    CELLPOST_LIMIT_PER_SENDER_DOMAIN: limits?.senderDomain,
    CELLPOST_LIMIT_PER_SENDER: limits?.sender,
    CELLPOST_LIMIT_PER_RECIPIENT: limits?.recipient,
    CELLPOST_LIMIT_PER_SENDER_TO_RECIPIENT: limits?.senderToRecipient,
  };
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, value: String(value) }],
  );
}

export function userIndexResources(
  context: PlatformContext,
  spec: PlatformSpec,
  credentials: Record<string, string>,
): KubeObject[] {
  const { owner } = context;
  return serviceResources(context, credentials, {
    role: 'user-index',
    ...spec.userIndex,
    type: 'ClusterIP',
    httpPort: USER_INDEX_PORT,
    blobs: true,
    servicePorts: [servicePort('http', USER_INDEX_PORT, USER_INDEX_PORT)],
    allow: [
      {
        from: [
          ...podsOf(owner, ['web', 'console']),
          // Those of the platform's cells, in whichever namespaces; others have no token.
          { namespaceSelector: {}, podSelector: { matchLabels: { [COMPONENT]: 'app-server' } } },
        ],
        ports: [USER_INDEX_PORT],
      },
    ],
    calls: toUsers(context),
    env: [
      { name: 'CELLPOST_DISCOVERY_URL', value: context.discoveryUrl },
      { name: 'CELLPOST_BLOB_STORE', value: context.blobStoreUrl },
    ],
  });
}

export function webResources(
  context: PlatformContext,
  spec: PlatformSpec,
  credentials: Record<string, string>,
): KubeObject[] {
  const { owner } = context;
  const { service: door, replicas, resources } = spec.web;
  return serviceResources(context, credentials, {
    role: 'web',
    replicas,
    resources,
    type: door.type,
    httpPort: WEB_PORT,
    blobs: false,
    servicePorts: [servicePort('http', 80, WEB_PORT)],
    ports: [{ name: 'admin', containerPort: WEB_ADMIN_PORT, protocol: 'TCP' }],
    adminPort: WEB_ADMIN_PORT,
    allow: [
      { ports: [WEB_PORT] },
      {
        from: podsOf(owner, ['console']),
        ports: [WEB_ADMIN_PORT],
      },
    ],
    calls: [
      ...toUsers(context),
      to(owner, ['user-index'], USER_INDEX_PORT),
      ...(spec.counts ? [to(owner, ['memcache-dirty'], COUNTS_PORT)] : []),
    ],
    env: [
      { name: 'CELLPOST_ADMIN_PORT', value: String(WEB_ADMIN_PORT) },
      { name: 'CELLPOST_DISCOVERY_URL', value: context.discoveryUrl },
      // Only then: a platform without counts is not restarted for what it does not have.
      ...(spec.counts ? [{ name: 'CELLPOST_COUNTS_URL', value: countsUrl(context.owner) }] : []),
    ],
  });
}

export function serviceResources(
  context: PlatformContext,
  credentials: Record<string, string>,
  options: ServiceOptions,
): KubeObject[] {
  const { owner, images } = context;
  const { role } = options;
  const name = roleName(owner, role);
  const meta = childMeta(owner, name, role);
  const selector = selectorOf(owner, role);
  return [
    service(meta, {
      type: options.type,
      // Who sends mail, and how much, is judged by the address that it comes from.
      ...(options.type !== 'ClusterIP' && { externalTrafficPolicy: 'Local' }),
      selector,
      ports: options.servicePorts,
    }),
    disruptionBudget(meta, selector),
    networkPolicy(
      meta,
      selector,
      [...options.allow, ...scraping(context.scrapers, options.adminPort ?? options.httpPort)],
      onlyTo(context.egress, [
        ...options.calls,
        ...(options.blobs ? [context.egress.blobs] : []),
        ...context.egress.traces,
      ]),
    ),
    deployment(meta, {
      replicas: options.replicas,
      minReadySeconds: MIN_READY_SECONDS,
      selector: { matchLabels: selector },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: podTemplate({
        owner,
        role,
        configHash: hashOf(credentials),
        terminationGracePeriodSeconds: GRACE_SECONDS,
        containers: [
          {
            ...serviceContainer({
              workload: role,
              image: images.cellpost,
              pullPolicy: images.pullPolicy,
              resources: options.resources,
              credentialsSecret: credentialsName(owner),
              blobs: options.blobs,
              httpPort: options.httpPort,
              ...(options.ports && { ports: options.ports }),
              tracing: context.tracing,
              env: options.env,
            }),
            lifecycle: { preStop: { sleep: { seconds: LEAVE_SECONDS } } },
          },
        ],
        volumes: SERVICE_VOLUMES,
      }),
    }),
  ];
}
