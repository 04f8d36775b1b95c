// Addresses inside the cluster's own network; nothing outside sees them.
export const NODE = 'node';
export const NODE_ADDRESS = '10.199.0.1';
export const POD_NETWORK = '10.244.0.0/16';
/** Of the Service `kubernetes`: the first of the range. */
export const API_SERVICE_ADDRESS = '10.96.0.1';
export const CLUSTER_DOMAIN = 'cluster.local';
