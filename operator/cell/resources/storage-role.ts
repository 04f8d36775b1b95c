// What the roles of HDFS and of HBase on it have in common: the objects of one role.
import type { V1Container, V1ServiceSpec } from '@kubernetes/client-node';
import { onlyTo } from '../../resources/egress.ts';
import {
  configMap,
  disruptionBudget,
  networkPolicy,
  service,
  servicePort,
  statefulSet,
  type Call,
  type Peer,
} from '../../resources/manifests.ts';
import {
  childMeta,
  podName,
  roleName,
  selectorOf,
  type Owner,
  type StorageRole,
} from '../../resources/owner.ts';
import { claimTemplate, podTemplate } from '../../resources/pod.ts';
import { script } from '../../resources/scripts.ts';
import { hashOf } from '../../runtime/apply.ts';
import type { KubeObject } from '../../runtime/resources.ts';
import type { Volume } from '../../types.ts';
import type { CellContext } from '../context.ts';

type RoleParts = {
  role: StorageRole;
  replicas: number;
  /** Under /conf; a change of them restarts the pods. */
  files: Record<string, string>;
  /** Under /conf, too, but read only when a pod starts: a change restarts nothing. */
  notes?: Record<string, string>;
  ports: Record<string, number>;
  /** Those that each pod has under a Service of its own, too, whose address outlives the pod. */
  ownPorts?: Record<string, number>;
  allow: { from: Peer[]; ports: number[] }[];
  calls: Call[];
  initContainers?: V1Container[];
  containers: V1Container[];
  /** At /data of containers that mount it. */
  volume?: Volume;
  terminationGracePeriodSeconds: number;
};

export const DATA_MOUNT = { name: 'data', mountPath: '/data' };

export function roleObjects({ owner, egress }: CellContext, parts: RoleParts): KubeObject[] {
  const { role } = parts;
  const name = roleName(owner, role);
  const meta = childMeta(owner, name, role);
  const selector = selectorOf(owner, role);
  const files = { ...parts.files, 'log4j.properties': script('log4j.properties') };
  return [
    configMap(meta, { ...files, ...parts.notes }),
    service(meta, { clusterIP: 'None', ...reachable(selector, parts.ports) }),
    ...servicesOfPods(owner, parts),
    disruptionBudget(meta, selector),
    networkPolicy(meta, selector, parts.allow, onlyTo(egress, parts.calls)),
    statefulSet(meta, {
      serviceName: name,
      replicas: parts.replicas,
      // In order, the first of a pair would wait for the second for ever.
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      selector: { matchLabels: selector },
      template: podTemplate({
        owner,
        role,
        configHash: hashOf(files),
        terminationGracePeriodSeconds: parts.terminationGracePeriodSeconds,
        ...(parts.initContainers && { initContainers: parts.initContainers }),
        containers: parts.containers,
        volumes: [
          { name: 'conf', configMap: { name } },
          { name: 'tmp', emptyDir: { sizeLimit: '256Mi' } },
        ],
      }),
      ...(parts.volume && { volumeClaimTemplates: [claimTemplate(owner, role, 'data', parts.volume)] }),
    }),
  ];
}

/** Servers reach each other by name before they are ready: that is how they get ready. */
const reachable = (selector: Record<string, string>, ports: Record<string, number>): V1ServiceSpec => ({
  publishNotReadyAddresses: true,
  selector,
  ports: Object.entries(ports).map(([name, port]) => servicePort(name, port, port)),
});

function servicesOfPods(owner: Owner, { role, replicas, ownPorts }: RoleParts): KubeObject[] {
  if (!ownPorts) return [];
  return Array.from({ length: replicas }, (_, ordinal) => {
    const pod = podName(owner, role, ordinal);
    const selector = { ...selectorOf(owner, role), 'statefulset.kubernetes.io/pod-name': pod };
    return service(childMeta(owner, pod, role), reachable(selector, ownPorts));
  });
}
