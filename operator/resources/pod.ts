// What all pods have in common: they pass the `restricted` Pod Security level and spread over nodes when there are some.
import type {
  V1Container,
  V1PersistentVolumeClaim,
  V1PodTemplateSpec,
  V1Probe,
  V1ResourceRequirements,
  V1Volume,
} from '@kubernetes/client-node';
import type { Resources, Volume } from '../types.ts';
import { labelsOf, selectorOf, type Owner, type Role } from './owner.ts';

/** The user of all containers. */
const USER_ID = 1000;
/** Changes of it restart the pods: it is a hash of what they read only at their start. */
const CONFIG_ANNOTATION = 'cellpost.dev/config';

/** Roles whose servers hold data together: two on one node could be lost together. Others only should spread. */
const SPREAD: ReadonlySet<Role> = new Set(['zookeeper', 'journal-node', 'name-node', 'data-node']);

type PodOptions = {
  owner: Owner;
  role: Role;
  initContainers?: V1Container[];
  containers: V1Container[];
  volumes: V1Volume[];
  terminationGracePeriodSeconds: number;
  configHash: string;
};

export function podTemplate(options: PodOptions): V1PodTemplateSpec {
  const { owner, role } = options;
  return {
    metadata: { labels: labelsOf(owner, role), annotations: { [CONFIG_ANNOTATION]: options.configHash } },
    spec: {
      enableServiceLinks: false,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: options.terminationGracePeriodSeconds,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER_ID,
        runAsGroup: USER_ID,
        fsGroup: USER_ID,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: SPREAD.has(role) ? 'DoNotSchedule' : 'ScheduleAnyway',
          // A node that is drained or gone takes no pod, and must not keep others from taking them.
          nodeTaintsPolicy: 'Honor',
          labelSelector: { matchLabels: selectorOf(owner, role) },
        },
      ],
      ...(options.initContainers && { initContainers: options.initContainers }),
      containers: options.containers,
      volumes: options.volumes,
    },
  };
}

export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

export function resourcesOf({ requests, limits }: Resources): V1ResourceRequirements {
  const text = (values: { cpu?: string | number; memory?: string | number }): Record<string, string> => ({
    ...(values.cpu !== undefined && { cpu: String(values.cpu) }),
    ...(values.memory !== undefined && { memory: String(values.memory) }),
  });
  return { limits: text(limits), ...(requests && { requests: text(requests) }) };
}

export function claimTemplate(
  owner: Owner,
  role: Role,
  name: string,
  volume: Volume,
): V1PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, labels: labelsOf(owner, role) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(volume.className !== undefined && { storageClassName: volume.className }),
      resources: { requests: { storage: String(volume.size) } },
    },
  };
}

type Timing = { periodSeconds: number; failureThreshold: number; timeoutSeconds: number };

export const probeScript = (path: string, timing: Timing): V1Probe => ({
  exec: { command: ['sh', path] },
  ...timing,
});

export const probeHttp = (path: string, port: number, timing: Timing): V1Probe => ({
  httpGet: { path, port },
  ...timing,
});

export const probeTcp = (port: number, timing: Timing): V1Probe => ({ tcpSocket: { port }, ...timing });
