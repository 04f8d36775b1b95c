// The settings files of the node's components.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLUSTER_DOMAIN, NODE_ADDRESS, POD_NETWORK, podNetworkOf } from './addresses.ts';
import type { Paths } from './paths.ts';

/**
 * @param folder the node's
 * @param pauseImage what holds a pod's namespaces open
 */
export async function writeSettings(
  paths: Paths,
  folder: string,
  node: { name: string; number: number },
  pauseImage: string,
): Promise<void> {
  const { credentials } = paths;
  const network = join(folder, 'network');
  const files: Record<string, string> = {
    'containerd.toml': containerd(pauseImage, network),
    'network/10-pods.conflist': podNetwork(podNetworkOf(node.number)),
    'kubelet.yaml': kubelet(paths, node.name),
    'kube-proxy.yaml': kubeProxy(credentials, node.name),
    // Only the first node runs the DNS server.
    Corefile: coredns(credentials),
    'resolv.conf': `nameserver ${NODE_ADDRESS}
search default.svc.${CLUSTER_DOMAIN} svc.${CLUSTER_DOMAIN} ${CLUSTER_DOMAIN}
options ndots:5
`,
  };
  await mkdir(network, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

/** Without rights over limits of other processes scores for the out-of-memory killer can't be lowered. */
const containerd = (pauseImage: string, network: string): string => `version = 2
oom_score = 0
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${network}"
`;

/** A pair of devices for each pod and routes between them: no bridge, so no question of filtering on bridges. */
const podNetwork = (subnet: string): string =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        mtu: 1500,
        ipMasq: false,
        ipam: {
          type: 'host-local',
          ranges: [[{ subnet }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  });

const kubelet = (
  { credentials, controlGroup }: Paths,
  node: string,
): string => `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /${controlGroup}/${node}
oomScoreAdj: 0
maxOpenFiles: 20000
resolvConf: ""
clusterDNS: [${NODE_ADDRESS}]
clusterDomain: ${CLUSTER_DOMAIN}
failSwapOn: false
authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: "${credentials}/ca.crt" } }
authorization: { mode: Webhook }
# Images are loaded, not pulled: one that is collected doesn't come back.
imageGCHighThresholdPercent: 100
evictionHard: { memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1% }
`;

const kubeProxy = (credentials: string, node: string): string => `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: { kubeconfig: "${credentials}/proxy.kubeconfig" }
hostnameOverride: ${node}
clusterCIDR: ${POD_NETWORK}
oomScoreAdj: 0
conntrack: { maxPerCore: 0 }
`;

/** An answer "no such name" is not kept: pods come. */
const coredns = (credentials: string): string => `.:53 {
  bind ${NODE_ADDRESS}
  errors
  ready ${NODE_ADDRESS}:8181
  cache 5 {
    denial 0
  }
  kubernetes ${CLUSTER_DOMAIN} in-addr.arpa {
    kubeconfig ${credentials}/dns.kubeconfig
    pods insecure
    ttl 5
  }
}
`;
