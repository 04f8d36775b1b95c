// The shapes of the objects that builders make. The library's types name the fields; what differs on the wire is here.
import type {
  V1DeploymentSpec,
  V1PodDisruptionBudgetSpec,
  V1ServiceSpec,
  V1StatefulSetSpec,
} from '@kubernetes/client-node';
import { TYPES, type KubeObject, type ObjectMeta, type ResourceType } from '../runtime/resources.ts';

export type StatefulSet = KubeObject & { spec: V1StatefulSetSpec };
export type Deployment = KubeObject & { spec: V1DeploymentSpec };
export type Service = KubeObject & { spec: V1ServiceSpec };
export type DisruptionBudget = KubeObject & { spec: V1PodDisruptionBudgetSpec };
export type ConfigMap = KubeObject & { data: Record<string, string> };
/** Values are base64. */
export type Secret = KubeObject & { type: string; data: Record<string, string> };

export type Peer = {
  namespaceSelector?: { matchLabels?: Record<string, string> };
  podSelector?: { matchLabels: Record<string, string> };
};
/** The library calls `from` `_from`; on the wire it is `from`. */
export type NetworkPolicy = KubeObject & {
  spec: {
    podSelector: { matchLabels: Record<string, string> };
    policyTypes: string[];
    ingress: { from?: Peer[]; ports: { port: number; protocol: 'TCP' }[] }[];
  };
};

const of = (type: ResourceType, metadata: ObjectMeta): KubeObject => ({
  apiVersion: type.apiVersion,
  kind: type.kind,
  metadata,
});

export const statefulSet = (metadata: ObjectMeta, spec: V1StatefulSetSpec): StatefulSet => ({
  ...of(TYPES.statefulSet, metadata),
  spec,
});

export const deployment = (metadata: ObjectMeta, spec: V1DeploymentSpec): Deployment => ({
  ...of(TYPES.deployment, metadata),
  spec,
});

export const service = (metadata: ObjectMeta, spec: V1ServiceSpec): Service => ({
  ...of(TYPES.service, metadata),
  spec,
});

export const configMap = (metadata: ObjectMeta, data: Record<string, string>): ConfigMap => ({
  ...of(TYPES.configMap, metadata),
  data,
});

/** @param values plain text */
export const secret = (metadata: ObjectMeta, values: Record<string, string>): Secret => ({
  ...of(TYPES.secret, metadata),
  type: 'Opaque',
  data: Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
});

/** One pod of a role at a time may be away by will: also with a single one, for else its node could never be drained. */
export const disruptionBudget = (
  metadata: ObjectMeta,
  matchLabels: Record<string, string>,
): DisruptionBudget => ({
  ...of(TYPES.disruptionBudget, metadata),
  spec: { maxUnavailable: 1, selector: { matchLabels } },
});

/** Lets in only what is listed; what pods of the role call is their peers' business. */
export const networkPolicy = (
  metadata: ObjectMeta,
  matchLabels: Record<string, string>,
  allow: { from?: Peer[]; ports: number[] }[],
): NetworkPolicy => ({
  ...of(TYPES.networkPolicy, metadata),
  spec: {
    podSelector: { matchLabels },
    policyTypes: ['Ingress'],
    ingress: allow.map(({ from, ports }) => ({
      ...(from && { from }),
      ports: ports.map((port) => ({ port, protocol: 'TCP' as const })),
    })),
  },
});

/** What lets those read metrics who may. */
export const scraping = (scrapers: Peer[], port: number): { from: Peer[]; ports: number[] }[] =>
  scrapers.length === 0 ? [] : [{ from: scrapers, ports: [port] }];

/** Pods of a role in one namespace. */
export function peer(namespace: string, matchLabels: Record<string, string>): Peer {
  return {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    podSelector: { matchLabels },
  };
}
