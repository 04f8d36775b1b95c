// Addresses inside the cluster's own network; nothing outside sees them.
/** The first node, which runs the control plane, too. */
export const NODE = 'node';
export const NODE_ADDRESS = '10.199.0.1';
/** Nodes that can be added; each has its number in its addresses. */
export const MORE_NODES = { node2: 2, node3: 3 } as const;
export type MoreNode = keyof typeof MORE_NODES;
export const addressOf = (number: number): string => `10.199.0.${number}`;
/** A /24 of the pods' network for each node. */
export const podNetworkOf = (number: number): string => `10.244.${number}.0/24`;
export const POD_NETWORK = '10.244.0.0/16';
/** Of the Service `kubernetes`: the first of the range. */
export const API_SERVICE_ADDRESS = '10.96.0.1';
export const CLUSTER_DOMAIN = 'cluster.local';
