// The app servers of a cell.
import {
  disruptionBudget,
  networkPolicy,
  peer,
  secret,
  service,
  statefulSet,
  type Secret,
} from '../../resources/manifests.ts';
import {
  childMeta,
  roleName,
  selectorOf,
  serviceHost,
  type Owner,
  type Role,
} from '../../resources/owner.ts';
import { podTemplate } from '../../resources/pod.ts';
import { SERVICE_VOLUMES, credentialsName, serviceContainer } from '../../resources/service-pod.ts';
import { zookeeperUrl } from '../../resources/zookeeper.ts';
import { hashOf } from '../../runtime/apply.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { CellSpec } from '../../types.ts';
import type { CellContext } from '../context.ts';
import { logStoreUrl } from './storage.ts';

const ROLE = 'app-server';
const PORT = 8081;
/** Its place in the cell's ZooKeeper, beside HBase's. */
const CHROOT = '/cellpost';
/** A leaving server hands over its users and finishes requests; then the ring has forgotten it. */
const LEAVE_SECONDS = 45;

/** Where the cell's ring is, for its servers and for discovery. */
export function coordinationUrl(owner: Owner, spec: CellSpec): string {
  return zookeeperUrl(owner, spec.zookeeper.replicas, CHROOT);
}

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
  const { owner, platform } = context;
  const name = roleName(owner, ROLE);
  const meta = childMeta(owner, name, ROLE);
  const selector = selectorOf(owner, ROLE);
  const callers: Role[] = ['mta-proxy', 'web', 'user-index', 'memcache-dirty', 'discovery'];
  return [
    service(meta, {
      clusterIP: 'None',
      // A server that leaves is not ready, and still has to tell its clients who is next.
      publishNotReadyAddresses: true,
      selector,
      ports: [{ name: 'http', port: PORT, protocol: 'TCP', targetPort: PORT }],
    }),
    disruptionBudget(meta, selector),
    networkPolicy(meta, selector, [
      {
        from: callers.map((role) =>
          peer(platform.namespace, selectorOf({ ...owner, kind: 'Platform', name: platform.name }, role)),
        ),
        ports: [PORT],
      },
      // One that leaves asks the others to read ahead.
      { from: [peer(owner.namespace, selector)], ports: [PORT] },
      // Its rolls look at the metrics.
      { from: [peer(context.operatorNamespace, context.operatorLabels)], ports: [PORT] },
    ]),
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
            httpPort: PORT,
            env: [
              { name: 'CELLPOST_CELL', value: owner.name },
              {
                name: 'CELLPOST_NODE',
                valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } },
              },
              {
                name: 'CELLPOST_ADVERTISED_URL',
                value: `http://$(CELLPOST_NODE).${serviceHost(owner, ROLE)}:${PORT}`,
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
