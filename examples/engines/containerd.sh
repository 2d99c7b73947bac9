#!/bin/bash
# containerd with Apus underneath: by `ctr run --runc-binary`, and by the socket that Kubernetes uses (CRI).
#
# On your own machine, in /etc/containerd/config.toml:
#   [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.apus]
#     runtime_type = "io.containerd.runc.v2"
#     [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.apus.options]
#       BinaryName = "/usr/local/bin/apus-runtime"
# and in Kubernetes a RuntimeClass whose handler is `apus`. Needs from Debian: busybox-static containerd
# containernetworking-plugins python3-grpcio.
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"
enter_namespaces containerd ctr

config() {
    local restrict=false
    # Containers should be ended before the machine's own services; root here may not say that.
    sh -c 'echo -999 >/proc/self/oom_score_adj' 2>/dev/null || restrict=true
    cat <<END
version = 2
root = "$work/root"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/local/busybox:latest"
  restrict_oom_score_adj = $restrict
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "apus"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.apus]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.apus.options]
        BinaryName = "$runtime"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$work/cni"
END
}

# Pods get a loopback and an address of a bridge that exists in this script's namespaces alone.
network() {
    mkdir -p "$work/cni"
    cat >"$work/cni/10-pods.conflist" <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "pods0",
  "isGateway": true, "ipam": {"type": "host-local", "dataDir": "$work/ipam", "subnet": "10.88.0.0/24"}}]}
END
}

ctr() { command ctr --address /run/containerd/containerd.sock "$@"; }
run() { ctr run --runc-binary "$runtime" --cgroup "$cgroup/ctr" "$@"; }

make_image
# An image as `ctr image import` takes it: one layer, one config, one manifest.
image_archive() {
    local directory=$work/oci digest
    mkdir -p "$directory"
    digest=$(sha256sum "$work/image.tar" | cut -d ' ' -f 1)
    cp "$work/image.tar" "$directory/layer.tar"
    cat >"$directory/config.json" <<END
{"architecture": "$(dpkg --print-architecture)", "os": "linux", "config": {"Cmd": ["sleep", "100000"], "Env": ["PATH=/bin"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$digest"]}}
END
    echo '[{"Config": "config.json", "RepoTags": ["docker.io/local/busybox:latest"], "Layers": ["layer.tar"]}]' \
        >"$directory/manifest.json"
    tar -C "$directory" -cf "$work/oci.tar" manifest.json config.json layer.tar
}

config >"$work/config.toml"
network
containerd --config "$work/config.toml" >"$work/containerd.log" 2>&1 &
wait_for 20 ctr version || cannot "containerd does not start: $(tail -n 1 "$work/containerd.log")"
image_archive
ctr image import "$work/oci.tar" >"$work/import.log" 2>&1
ctr --namespace k8s.io image import "$work/oci.tar" >>"$work/import.log" 2>&1
image=docker.io/local/busybox:latest

echo ' ctr'
check 'run' Hello run --rm $image r1 echo Hello
check_status 'exit status' 7 run --rm $image r2 sh -c 'exit 7'
check 'not found' 'executable file not found in $PATH' run --rm $image r3 nope
run --detach --memory-limit 67108864 $image web sh -c 'while :; do sleep 0.1; done'
check 'a limit of memory' 67108864 \
    sh -c "cat /sys/fs/cgroup/memory$cgroup/ctr/memory.limit_in_bytes /sys/fs/cgroup$cgroup/ctr/memory.max"
check 'task ls' RUNNING ctr task ls
check 'task exec' 'uid=0' ctr task exec --exec-id e1 web id
check_status 'task exec: exit status' 3 ctr task exec --exec-id e2 web sh -c 'exit 3'
check_status 'task pause' 0 ctr task pause web
check 'it is paused' PAUSED ctr task ls
check_status 'task resume' 0 ctr task resume web
check 'task metrics' memory ctr task metrics web
check 'task ps' PID ctr task ps web
check_status 'task kill' 0 ctr task kill --signal SIGKILL web
check_soon 'its end is known' STOPPED ctr task ls
check 'task rm tells the exit code' 137 ctr task rm web
check_status 'container rm' 0 ctr container rm web

echo ' CRI'
python=/usr/bin/python3
if "$python" -c 'import grpc' 2>/dev/null; then
    "$python" "$here/cri.py" /run/containerd/containerd.sock $image "$cgroup"
else
    echo '  left out: python3-grpcio is missing'
fi
echo 'containerd: all of it works'
