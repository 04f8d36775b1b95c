// The shapes of the objects that builders make. The library's types name the fields; what differs on the wire is here.
import type {
  V1DeploymentSpec,
  V1PodDisruptionBudgetSpec,
  V1ServicePort,
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
    ingress: { from?: Peer[]; ports: PolicyPort[] }[];
    egress?: { to?: Peer[]; ports: PolicyPort[] }[];
  };
};
type PolicyPort = { port: number; protocol: 'TCP' | 'UDP' };
/** Whom pods may call at which ports; anybody when nobody is named. */
export type Call = { to?: Peer[]; ports: number[]; udp?: true };

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

export const servicePort = (name: string, port: number, targetPort: number): V1ServicePort => ({
  name,
  port,
  targetPort,
  protocol: 'TCP',
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

/**
 * Lets in only what is listed, and out only what is.
 * @param calls undefined: pods may call whom they like. Those who call anybody find their names, too
 */
export const networkPolicy = (
  metadata: ObjectMeta,
  matchLabels: Record<string, string>,
  allow: { from?: Peer[]; ports: number[] }[],
  calls: Call[] | undefined,
): NetworkPolicy => ({
  ...of(TYPES.networkPolicy, metadata),
  spec: {
    podSelector: { matchLabels },
    policyTypes: ['Ingress', ...(calls ? ['Egress'] : [])],
    ingress: allow.map(({ from, ports }) => ({ ...(from && { from }), ports: policyPorts(ports, ['TCP']) })),
    ...(calls && {
      egress: (calls.length > 0 ? [DNS, ...calls] : []).map((call) => egressRule(call)),
    }),
  },
});

const egressRule = ({ to, ports, udp }: Call): { to?: Peer[]; ports: PolicyPort[] } => ({
  ...(to && { to }),
  ports: policyPorts(ports, udp ? ['UDP', 'TCP'] : ['TCP']),
});

/** Name servers are pods, processes of nodes, or both, by the cluster. */
const DNS: Call = { ports: [53], udp: true };

const policyPorts = (ports: number[], protocols: PolicyPort['protocol'][]): PolicyPort[] =>
  ports.flatMap((port) => protocols.map((protocol) => ({ port, protocol })));

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
