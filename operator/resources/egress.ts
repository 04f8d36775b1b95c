// Whom pods may call that are not of their platform or its cells: what the spec of a platform names by an address.
import type { Platform } from '../types.ts';
import type { Call } from './manifests.ts';

/** What all pods of a platform, or of one of its cells, have in common. */
export type Egress = {
  /** False: they may call whom they like. */
  restricted: boolean;
  blobs: Call;
  /** Who takes traces. */
  traces: Call[];
  /** The spec's own. */
  more: Call[];
};

/** @param domain of the cluster */
export function egressOf({ spec }: Platform, domain: string): Egress {
  const { restricted, ports } = spec.egress;
  return {
    restricted,
    blobs: callTo(spec.blobStore.s3.endpoint, domain),
    traces: spec.tracing ? [callTo(spec.tracing.endpoint, domain)] : [],
    more: ports.length > 0 ? [{ ports, udp: true }] : [],
  };
}

/** @returns undefined when nothing is forbidden */
export const onlyTo = ({ restricted, more }: Egress, calls: Call[]): Call[] | undefined =>
  restricted ? [...calls, ...more] : undefined;

const STANDARD_PORTS: Record<string, number> = { 'http:': 80, 'https:': 443 };

/**
 * Who answers at a URL: when its host is a Service's full name, pods of that namespace, else anybody. A policy is about
 * pods and their ports: where a Service has another port than they, spec.egress.ports must name theirs.
 */
export function callTo(url: string, domain: string): Call {
  const { hostname, port, protocol } = new URL(url);
  const ports = [port === '' ? (STANDARD_PORTS[protocol] ?? 0) : Number(port)];
  const host = hostname.endsWith(`.${domain}`) ? hostname.slice(0, -domain.length - 1) : hostname;
  const namespace = /^[^.]+\.(?<namespace>[^.]+)\.svc$/.exec(host)?.groups?.namespace;
  if (namespace === undefined) return { ports };
  return {
    to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }],
    ports,
  };
}

/** A name server: its address, with a port if need be, as in `192.0.2.53` or `[2001:db8::53]:5353`. */
export function callToNameServer(address: string): Call[] {
  const port = /^(?:[^:]+|\[.*\]):(?<port>\d+)$/.exec(address)?.groups?.port;
  // Port 53 is open to all anyway.
  return port === undefined ? [] : [{ ports: [Number(port)], udp: true }];
}
