// The app servers of a cell.
import { USER_INDEX_PORT } from '../../platform/context.ts';
import { onlyTo } from '../../resources/egress.ts';
import {
  disruptionBudget,
  networkPolicy,
  peer,
  scraping,
  secret,
  service,
  servicePort,
  statefulSet,
  type Peer,
  type Secret,
} from '../../resources/manifests.ts';
import { childMeta, roleName, selectorOf, type Owner, type Role } from '../../resources/owner.ts';
import { podTemplate } from '../../resources/pod.ts';
import { SERVICE_VOLUMES, credentialsName, serviceContainer } from '../../resources/service-pod.ts';
import { CLIENT_PORT, zookeeperUrl } from '../../resources/zookeeper.ts';
import { hashOf } from '../../runtime/apply.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec } from '../../types.ts';
import type { CellContext } from '../context.ts';
import { MASTER_PORT, REGION_SERVER_PORT } from './hbase-containers.ts';
import { logStoreUrl } from './storage.ts';
import { operatorOf, to } from '../../resources/peers.ts';

const ROLE = 'app-server';
export const APP_SERVER_PORT = 8081;
/** Its place in the cell's ZooKeeper, beside HBase's. */
const CHROOT = '/cellpost';
/** A leaving server hands over its users and finishes requests; then the ring has forgotten it. */
const LEAVE_SECONDS = 45;

/** Where the cell's ring is, for its servers and for discovery. */
export function coordinationUrl(owner: Owner, spec: CellSpec): string {
  return zookeeperUrl(owner, spec.zookeeper.replicas, CHROOT);
}

/** Pods of a role of the cell's platform. */
const ofPlatform = ({ owner, platform }: CellContext, role: Role): Peer =>
  peer(platform.namespace, selectorOf({ ...owner, kind: 'Platform', name: platform.name }, role));

/** The platform's credentials, copied to where the cell's pods can read them. */
export function credentialsSecret(owner: Owner, values: Record<string, string>): Secret {
  return secret(childMeta(owner, credentialsName(owner)), values);
}

/** @param credentials only hashed here: new ones restart the servers */
export function appServerResources(
  context: CellContext,
  spec: CellSpec,
  credentials: Record<string, string>,
): KubeObject[] {
  const { owner } = context;
  const name = roleName(owner, ROLE);
  const meta = childMeta(owner, name, ROLE);
  const selector = selectorOf(owner, ROLE);
  const callers: Role[] = ['mta-proxy', 'web', 'user-index', 'memcache-dirty', 'discovery', 'console'];
  return [
    service(meta, {
      clusterIP: 'None',
      // A server that leaves is not ready, and still has to tell its clients who is next.
      publishNotReadyAddresses: true,
      selector,
      ports: [servicePort('http', APP_SERVER_PORT, APP_SERVER_PORT)],
    }),
    disruptionBudget(meta, selector),
    networkPolicy(
      meta,
      selector,
      [
        { from: callers.map((role) => ofPlatform(context, role)), ports: [APP_SERVER_PORT] },
        // One that leaves asks the others to read ahead.
        { from: [peer(owner.namespace, selector)], ports: [APP_SERVER_PORT] },
        // Its rolls look at the metrics.
        { from: [operatorOf(context)], ports: [APP_SERVER_PORT] },
        ...scraping(context.scrapers, APP_SERVER_PORT),
      ],
      onlyTo(context.egress, [
        to(owner, ['zookeeper'], CLIENT_PORT),
        ...(spec.hbase.storage === 'Local'
          ? [to(owner, ['hbase'], MASTER_PORT, REGION_SERVER_PORT)]
          : [to(owner, ['hbase-master'], MASTER_PORT), to(owner, ['region-server'], REGION_SERVER_PORT)]),
        to(owner, [ROLE], APP_SERVER_PORT),
        { to: [ofPlatform(context, 'user-index')], ports: [USER_INDEX_PORT] },
        context.egress.blobs,
        ...context.egress.traces,
      ]),
    ),
    statefulSet(meta, {
      serviceName: name,
      replicas: spec.appServers.replicas,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      selector: { matchLabels: selector },
      template: podTemplate({
        owner,
        role: ROLE,
        configHash: hashOf(credentials),
        terminationGracePeriodSeconds: LEAVE_SECONDS,
        containers: [
          serviceContainer({
            workload: ROLE,
            image: context.images.cellpost,
            pullPolicy: context.images.pullPolicy,
            resources: spec.appServers.resources,
            credentialsSecret: credentialsName(owner),
            blobs: true,
            httpPort: APP_SERVER_PORT,
            tracing: context.tracing,
            env: [
              { name: 'CELLPOST_CELL', value: owner.name },
              {
                name: 'CELLPOST_NODE',
                valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } },
              },
              // A pod made anew serves sooner than everybody's DNS has forgotten the address of the one before.
              {
                name: 'CELLPOST_ADVERTISED_HOST',
                valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } },
              },
              { name: 'CELLPOST_TOKENS', value: String(spec.appServers.tokens) },
              { name: 'CELLPOST_CACHE_BYTES', value: String(spec.appServers.cacheBytes) },
              { name: 'CELLPOST_COORDINATION', value: coordinationUrl(owner, spec) },
              { name: 'CELLPOST_LOG_STORE', value: logStoreUrl(owner, spec) },
              { name: 'CELLPOST_BLOB_STORE', value: context.blobStoreUrl },
              { name: 'CELLPOST_USER_INDEX_URL', value: context.userIndexUrl },
            ],
          }),
        ],
        volumes: SERVICE_VOLUMES,
      }),
    }),
  ];
}
