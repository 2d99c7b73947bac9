"""A small client of the Container Runtime Interface, for containerd.sh: cri.py SOCKET IMAGE CGROUP

Does what a kubelet does: a pod, two containers in it, commands in these, a changed limit, and the end of all. Debian has no
crictl. Messages are put together by hand: a field's number, and a varint or bytes.
"""

import sys
import time

import grpc

SOCKET, IMAGE, CGROUP = sys.argv[1:4]
channel = grpc.insecure_channel(f"unix://{SOCKET}")


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def message(fields):
    """Encodes {field number: value}; a list stands for a repeated field, a dict for a message."""
    out = b""
    for number, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int):
                out += varint(number << 3) + varint(item)
                continue
            data = message(item) if isinstance(item, dict) else item.encode()
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def fields(data):
    """Decodes into {field number: [values]}."""
    out, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        else:
            size = number()
            value, at = data[at : at + size], at + size
        out.setdefault(key >> 3, []).append(value)
    return out


def call(method, request):
    stub = channel.unary_unary(f"/runtime.v1.RuntimeService/{method}")
    return fields(stub(message(request), timeout=60))


def check(what, found, wanted):
    if found != wanted:
        sys.exit(f"containerd: FAILED: {what}: wanted {wanted!r}, got {found!r}")
    print(f"  {what}")


def execute(container, *command):
    """What a command in a container prints, and its exit code."""
    answer = call("ExecSync", {1: container, 2: list(command), 3: 20})
    return answer.get(1, [b""])[0].decode().strip(), answer.get(3, [0])[0]


def status(container):
    """A container's state (1 running, 2 exited) and exit code."""
    answer = fields(call("ContainerStatus", {1: container})[1][0])
    return answer.get(3, [0])[0], answer.get(7, [0])[0]


def wait_until_ended(container):
    for _ in range(200):
        if status(container)[0] == 2:
            return
        time.sleep(0.05)
    sys.exit("containerd: FAILED: a container does not end")


def make(name, command, resources=None):
    config = {1: {1: name}, 2: {1: IMAGE}, 3: command, 15: {1: resources or {}}}
    return call("CreateContainer", {1: pod, 2: config, 3: pod_config})[1][0].decode()


LIMIT = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
pod_config = {
    1: {1: "pod", 2: "uid-1", 3: "default"},
    2: "the-pod",
    8: {1: f"{CGROUP}/kubepods", 2: {1: {2: 0}}},  # one PID namespace for the pod
}
pod = call("RunPodSandbox", {1: pod_config, 2: "apus"})[1][0].decode()
print("  RunPodSandbox")
web = make("web", ["sh", "-c", 'trap "exit 3" TERM; while :; do sleep 0.1; done'], {4: 64 << 20})
call("StartContainer", {1: web})
check("StartContainer", status(web)[0], 1)
check("the pod's hostname", execute(web, "hostname"), ("the-pod", 0))
check("the pod's network", "10.88.0." in execute(web, "ip", "addr")[0], True)
check("a limit of memory", execute(web, "sh", "-c", LIMIT), (str(64 << 20), 0))
check("ExecSync: exit code", execute(web, "sh", "-c", "exit 9"), ("", 9))
call("UpdateContainerResources", {1: web, 2: {4: 96 << 20}})
check("UpdateContainerResources", execute(web, "sh", "-c", LIMIT), (str(96 << 20), 0))
check("ContainerStats", bool(call("ContainerStats", {1: web})), True)
failing = make("failing", ["sh", "-c", "exit 4"])
call("StartContainer", {1: failing})
wait_until_ended(failing)
check("a container's exit code", status(failing), (2, 4))
side = make("side", ["sleep", "1000"])
call("StartContainer", {1: side})
check("the pod's processes are shared", "sleep 1000" in execute(web, "ps")[0], True)
missing = make("missing", ["no-such-command"])
try:
    call("StartContainer", {1: missing})
    sys.exit("containerd: FAILED: a command that is not there starts")
except grpc.RpcError as error:
    check("not found", "executable file not found in $PATH" in error.details(), True)
for number in range(50):
    if execute(web, "true") != ("", 0):
        sys.exit(f"containerd: FAILED: probe {number}")
print("  50 probes")
call("StopContainer", {1: web, 2: 10})
check("StopContainer", status(web), (2, 3))
call("RemoveContainer", {1: web})
call("StopPodSandbox", {1: pod})
check("StopPodSandbox ends the others", status(side), (2, 137))
call("RemovePodSandbox", {1: pod})
check("RemovePodSandbox", call("ListContainers", {}), {})
