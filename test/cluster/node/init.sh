#!/bin/bash
# Process 1 of the node, inside its own network, mount, pid, ipc and uts namespaces: when it ends, everything of the node
# ends. It makes the node's private view of the file system, its network, its control groups, and starts Kubernetes.
# The first node runs the control plane; others join it over a pair of devices that somebody outside puts in place.
# Environment: CLUSTER the cluster's state folder and CONTROL_GROUP (see paths.ts), STATE the node's own folder (the same
# for the first), KUBE and COREDNS programs, NODE, NODE_ADDRESS, CONTROL_ADDRESS the first node's
set -u
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
credentials=$CLUSTER/credentials
if [ "$NODE_ADDRESS" = "$CONTROL_ADDRESS" ]; then first=yes; else first=no; fi
hostname "$NODE"

# Every component keeps its default paths; below them lies the state folder, and nothing is written elsewhere.
mkdir -p "$STATE"/{log,pod-logs,containerd,kubelet,cni,etcd} "$CLUSTER/volumes" /var/lib/{containerd,kubelet,cni} /tmp/hostpath_pv
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns
mount --bind "$STATE/pod-logs" /var/log
mount --bind "$STATE/containerd" /var/lib/containerd
mount --bind "$STATE/kubelet" /var/lib/kubelet
mount --bind "$STATE/cni" /var/lib/cni
mount --bind "$CLUSTER/volumes" /tmp/hostpath_pv
# Programs that are run inside resolve the cluster's names.
mount --bind "$STATE/resolv.conf" /etc/resolv.conf
mount --make-rshared /

# The node's address is on a bridge, since not every kernel has dummy devices; without an uplink nothing can leave.
ip link set lo up
if [ "$first" = yes ]; then
  ip link add node0 address 02:c0:00:00:00:01 type bridge # a fixed address, else it changes as pods come
else
  for ((round = 0; round < 300; round++)); do
    ip link show node0 > /dev/null 2>&1 && break
    sleep 0.1
  done
fi
ip addr add "$NODE_ADDRESS/24" dev node0
ip link set node0 up
# Addresses of Services need some route before they are rewritten.
if [ "$first" = yes ]; then ip route add default dev node0; else ip route add default via "$CONTROL_ADDRESS"; fi
sysctl -qw net.ipv4.ip_forward=1

# A parent control group of the node: in each hierarchy of version 1, or in the one of version 2.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/$CONTROL_GROUP/$NODE
  for group in /sys/fs/cgroup /sys/fs/cgroup/$CONTROL_GROUP /sys/fs/cgroup/$CONTROL_GROUP/$NODE; do
    for controller in cpuset cpu io memory pids; do echo "+$controller" > "$group/cgroup.subtree_control" || true; done
  done
else
  for hierarchy in /sys/fs/cgroup/*/; do
    mkdir -p "$hierarchy/$CONTROL_GROUP/$NODE"
    for group in "$CONTROL_GROUP" "$CONTROL_GROUP/$NODE"; do
      if [ -f "$hierarchy/$group/cpuset.cpus" ]; then
        cat "$hierarchy/cpuset.cpus" > "$hierarchy/$group/cpuset.cpus"
        cat "$hierarchy/cpuset.mems" > "$hierarchy/$group/cpuset.mems"
      fi
    done
  done
fi

# keep NAME COMMAND…: runs it, and again when it ends.
keep() {
  local name=$1
  shift
  while :; do
    "$@"
    echo "init: $name ended with $?, starting it again"
    sleep 1
  done >> "$STATE/log/$name.log" 2>&1 &
}
# wait_for COMMAND…: until it succeeds, 120 s at most.
wait_for() {
  local round
  for ((round = 0; round < 1200; round++)); do
    "$@" > /dev/null 2>&1 && return 0
    sleep 0.1
  done
  echo "init: gave up waiting for: $*" >&2
  return 1
}

# Volumes of the built-in provisioner belong to root, and fsGroup does not reach them: open each to the pods' users.
open_volumes() {
  local volume
  while :; do
    for volume in "$CLUSTER"/volumes/*/; do
      if [ -d "$volume" ] && [ ! -k "$volume" ]; then chmod 1777 "$volume"; fi
    done
    read -rt 0.1 <> <(:)
  done
}

start_store() {
  keep etcd "$KUBE" etcd --name node --data-dir "$STATE/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster node=http://127.0.0.1:2380
  keep kube-apiserver "$KUBE" kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
    --advertise-address="$NODE_ADDRESS" --secure-port=6443 --service-cluster-ip-range=10.96.0.0/16 \
    --tls-cert-file="$credentials/apiserver.crt" --tls-private-key-file="$credentials/apiserver.key" \
    --client-ca-file="$credentials/ca.crt" \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$credentials/service-accounts.pub" \
    --service-account-signing-key-file="$credentials/service-accounts.key" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --token-auth-file="$credentials/tokens.csv" \
    --kubelet-client-certificate="$credentials/apiserver.crt" --kubelet-client-key="$credentials/apiserver.key" \
    --kubelet-preferred-address-types=InternalIP --allow-privileged=true --profiling=false
  # The way in: a socket in the file system, since there is none through the network.
  keep api-socket socat UNIX-LISTEN:"$STATE/api.sock",fork,mode=600,unlink-early TCP:127.0.0.1:6443
}

start_control_plane() {
  wait_for "$KUBE" kubectl --kubeconfig "$credentials/admin.kubeconfig" get --raw /readyz
  # It ends when it can't renew its lease, as everywhere: one that lives through an outage of the API server takes all nodes
  # for lost at its end, for it has heard nothing from them, and all services are without endpoints until they report.
  keep kube-controller-manager "$KUBE" kube-controller-manager --kubeconfig="$credentials/controllers.kubeconfig" \
    --leader-elect=true --service-account-private-key-file="$credentials/service-accounts.key" \
    --root-ca-file="$credentials/ca.crt" --use-service-account-credentials=true \
    --enable-hostpath-provisioner=true --node-monitor-grace-period=20s --profiling=false
  # Now and then it misses that a claim is bound, and would look at the pod again after five minutes only.
  keep kube-scheduler "$KUBE" kube-scheduler --kubeconfig="$credentials/scheduler.kubeconfig" \
    --leader-elect=false --profiling=false --pod-max-in-unschedulable-pods-duration=5s
  keep coredns "$COREDNS" -conf "$STATE/Corefile"
  keep volumes open_volumes
}

keep containerd containerd -c "$STATE/containerd.toml"
if [ "$first" = yes ]; then start_store; fi
wait_for ctr version
# The pause image is needed before any pod; the others are loaded while the control plane starts.
wait_for ctr -n k8s.io images import "$CLUSTER/pause.tar"

if [ "$first" = yes ]; then start_control_plane; fi
keep kubelet "$KUBE" kubelet --config="$STATE/kubelet.yaml" --kubeconfig="$credentials/$NODE.kubeconfig" \
  --hostname-override="$NODE" --node-ip="$NODE_ADDRESS"
keep kube-proxy "$KUBE" kube-proxy --config="$STATE/kube-proxy.yaml"

trap 'exit 0' TERM INT
while :; do
  wait
  sleep 1
done
