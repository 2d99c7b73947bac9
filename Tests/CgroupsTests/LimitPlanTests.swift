import OCI
import Testing

@testable import Cgroups

/// The writes that a plan comes down to, as `file=value`.
private func writes(
    _ resources: Spec.Resources, _ version: CgroupVersion, isNew: Bool = true, now: [String: String] = [:]
) -> [String] {
    LimitPlan(version, isNew: isNew) { now[$0] }.limits(of: resources).flatMap { limit in
        limit.impossible == nil ? limit.writes.map { "\($0.file)=\($0.value)" } : ["\(limit.name) is impossible"]
    }
}

@Suite struct LimitPlanTests {
    @Test func `nothing asked plans nothing`() {
        #expect(writes(.init(), .v1) == [])
        #expect(writes(.init(), .v2) == [])
    }

    @Test func `a memory limit comes with as much swap on both versions`() {
        let resources = Spec.Resources(memory: .init(limit: 1 << 28))
        #expect(
            writes(resources, .v1) == ["memory.limit_in_bytes=268435456", "memory.memsw.limit_in_bytes=536870912"])
        #expect(writes(resources, .v2) == ["memory.max=268435456", "memory.swap.max=268435456"])
    }

    @Test func `an update of the memory limit leaves swap alone`() {
        let resources = Spec.Resources(memory: .init(limit: 1 << 28))
        #expect(writes(resources, .v1, isNew: false) == ["memory.limit_in_bytes=268435456"])
        #expect(writes(resources, .v2, isNew: false) == ["memory.max=268435456"])
    }

    @Test(arguments: [
        (Int64(1000), Int64(3000), "memory.swap.max=2000"), (1000, 1000, "memory.swap.max=0"),
        (1000, -1, "memory.swap.max=max"), (1000, 999, "memory-swap is impossible"),
    ])
    func `swap on v2 is what is left of the sum`(memory: Int64, swap: Int64, expected: String) {
        let resources = Spec.Resources(memory: .init(limit: memory, swap: swap))
        #expect(writes(resources, .v2, isNew: false).last == expected)
    }

    @Test func `an update of swap alone counts from the memory limit in force`() {
        let resources = Spec.Resources(memory: .init(swap: 3000))
        #expect(writes(resources, .v2, isNew: false, now: ["memory.max": "1000"]) == ["memory.swap.max=2000"])
        #expect(writes(resources, .v2, isNew: false, now: ["memory.max": "max"]) == ["memory-swap is impossible"])
    }

    @Test func `lifting a limit writes only to a cgroup that may have one`() {
        let resources = Spec.Resources(memory: .init(limit: -1, swap: -1), cpu: .init(quota: -1), pids: .init(limit: 0))
        #expect(writes(resources, .v1) == [])
        #expect(writes(resources, .v2) == [])
        #expect(
            writes(resources, .v1, isNew: false) == [
                "pids.max=max", "memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1", "cpu.cfs_quota_us=-1",
            ])
        #expect(
            writes(resources, .v2, isNew: false, now: ["cpu.max": "50000 100000"]) == [
                "pids.max=max", "memory.max=max", "memory.swap.max=max", "cpu.max=max 100000",
            ])
    }

    @Test(arguments: [(UInt64(2), UInt64(1)), (1024, 39), (262144, 10000)])
    func `CPU shares become a weight`(shares: UInt64, weight: UInt64) {
        #expect(writes(.init(cpu: .init(shares: shares)), .v1) == ["cpu.shares=\(shares)"])
        #expect(writes(.init(cpu: .init(shares: shares)), .v2) == ["cpu.weight=\(weight)"])
    }

    @Test(arguments: [UInt64(1), 262145])
    func `CPU shares that the kernel would change are refused`(shares: UInt64) {
        #expect(writes(.init(cpu: .init(shares: shares)), .v1) == ["cpu-shares is impossible"])
        #expect(writes(.init(cpu: .init(shares: shares)), .v2) == ["cpu-shares is impossible"])
    }

    @Test func `a CPU quota goes with its period`() {
        let cpu = Spec.CPU(quota: 150_000, period: 50_000)
        #expect(writes(.init(cpu: cpu), .v1) == ["cpu.cfs_period_us=50000", "cpu.cfs_quota_us=150000"])
        #expect(writes(.init(cpu: cpu), .v2) == ["cpu.max=150000 50000"])
        #expect(LimitPlan(.v2, isNew: true).cpuLimits(cpu).map(\.asked) == ["3"])
    }

    @Test func `half a CPU limit leaves the other half as it is`() {
        let now = ["cpu.max": "20000 50000"]
        #expect(writes(.init(cpu: .init(quota: 10_000)), .v2, isNew: false, now: now) == ["cpu.max=10000 50000"])
        #expect(writes(.init(cpu: .init(period: 80_000)), .v2, isNew: false, now: now) == ["cpu.max=20000 80000"])
    }

    @Test func `block devices are throttled on both versions`() {
        let io = Spec.BlockIO(
            weight: 500, throttleReadBpsDevice: [.init(major: 8, minor: 0, rate: 1 << 20)],
            throttleWriteIOPSDevice: [.init(major: 8, minor: 16, rate: 100)])
        #expect(
            writes(.init(blockIO: io), .v1) == [
                "blkio.bfq.weight=500", "blkio.throttle.read_bps_device=8:0 1048576",
                "blkio.throttle.write_iops_device=8:16 100",
            ])
        #expect(
            writes(.init(blockIO: io), .v2) == [
                "io.bfq.weight=500", "io.max=8:0 rbps=1048576", "io.max=8:16 wiops=100",
            ])
        #expect(LimitPlan(.v2, isNew: true).limits(io).first?.writes.first?.fallbackValue == "default 4950")
    }

    @Test func `device rules keep their order on v1 and are a program on v2`() {
        let rules = [
            Spec.DeviceRule(allow: false, access: "rwm"),
            Spec.DeviceRule(allow: true, type: "c", major: 1, minor: 3, access: "rwm"),
            Spec.DeviceRule(allow: true, type: "b", major: 8, minor: -1, access: "r"),
        ]
        #expect(
            writes(.init(devices: rules), .v1) == [
                "devices.deny=a *:* rwm", "devices.allow=c 1:3 rwm", "devices.allow=b 8:* r",
            ])
        let onV2 = LimitPlan(.v2, isNew: true).deviceLimits(rules)
        #expect(onV2.map(\.isAdvisory) == [true])
        #expect(onV2.allSatisfy { $0.impossible == nil && $0.writes.isEmpty && $0.program != nil })
    }

    @Test func `a block device without any weight and RDMA without any number are refused`() {
        let io = Spec.BlockIO(weightDevice: [.init(major: 8, minor: 0)])
        #expect(writes(.init(blockIO: io), .v2) == ["blkio-weight-device is impossible"])
        #expect(writes(.init(rdma: ["mlx5": .init()]), .v2) == ["rdma is impossible"])
    }

    @Test func `a Spec of others says all that it means about swap`() {
        let plan = LimitPlan(.v1, isNew: true, assumesSwap: false)
        let limits = plan.limits(of: .init(memory: .init(limit: 1 << 28)))
        #expect(limits.flatMap(\.writes).map(\.file) == ["memory.limit_in_bytes"])
        #expect(
            writes(.init(memory: .init(limit: -1)), .v1, isNew: false) == [
                "memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1",
            ])
    }

    @Test func `what only v1 has is impossible on v2`() {
        let memory = Spec.Memory(swappiness: 10, disableOOMKiller: true)
        #expect(writes(.init(memory: memory), .v1) == ["memory.swappiness=10", "memory.oom_control=1"])
        #expect(
            writes(.init(memory: memory), .v2) == ["oom-kill-disable is impossible", "memory-swappiness is impossible"])
    }

    @Test(arguments: ["../escape", "memory.high/x", "cgroup.kill", "nothing"])
    func `a unified key must be an interface file of a controller`(key: String) {
        #expect(writes(.init(unified: [key: "1"]), .v2) == ["unified is impossible"])
    }

    @Test func `unified values of several lines are written line by line`() {
        #expect(
            writes(.init(unified: ["io.max": "8:0 rbps=1\n8:16 rbps=2\n"]), .v2) == [
                "io.max=8:0 rbps=1", "io.max=8:16 rbps=2",
            ])
        #expect(writes(.init(unified: ["cgroup.max.depth": "3"]), .v2) == ["cgroup.max.depth=3"])
    }

    @Test func `unified values are passed on as they are`() {
        #expect(writes(.init(unified: ["memory.high": "1000"]), .v2) == ["memory.high=1000"])
        #expect(writes(.init(unified: ["memory.high": "1000"]), .v1) == ["unified is impossible"])
    }

    @Test(arguments: [
        (Int64(268_435_456), "256 MiB"), (1 << 30, "1 GiB"), (1_610_612_736, "1.5 GiB"), (1000, "1000 bytes"),
        (1, "1 byte"), (-1, "unlimited"), (524_288, "512 KiB"),
    ])
    func `bytes are told in the largest unit that divides them`(count: Int64, text: String) {
        #expect(Quantity.bytes(count) == text)
    }

    @Test(arguments: [(Int64(150_000), UInt64(100_000), "1.5"), (100_000, 100_000, "1"), (5_000, 100_000, "0.05")])
    func `CPUs are told as a ratio`(quota: Int64, period: UInt64, text: String) {
        #expect(Quantity.ratio(quota, period) == text)
    }
}

@Suite struct HierarchyTests {
    private let text = "9:name=systemd:/\n4:memory:/a/b\n3:cpu,cpuacct:/c:d\n0::/user.slice\n"

    @Test(arguments: [("memory", "/a/b"), ("cpu,cpuacct", "/c:d"), ("cpuacct,cpu", "/c:d"), (nil, "/user.slice")])
    func `the own cgroup is found by the hierarchy's controllers`(name: String?, path: String) {
        #expect(Hierarchies.path(of: name, in: text) == path)
    }

    @Test func `a hierarchy that is not there has no own cgroup`() {
        #expect(Hierarchies.path(of: "pids", in: text) == nil)
    }

    @Test func `the root of the topmost mount counts`() {
        let mounts = """
            31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
            35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            36 31 0:32 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            """
        #expect(Hierarchies.mountRoot(of: "/sys/fs/cgroup/memory", in: mounts) == "/docker/x")
        #expect(Hierarchies.mountRoot(of: "/sys/fs/cgroup/pids", in: mounts) == nil)
    }

    @Test(arguments: ["", ".", "..", "a/b", "-x", "a b", "ü", "x\n"])
    func `an id that is no plain name is refused`(id: String) {
        #expect(!CgroupName.isValid(id))
        #expect(throws: (any Error).self) {
            try Cgroups.create(id: id, resources: nil, policy: .strict, parent: nil)
        }
    }

    @Test(arguments: ["a/../b", "..", "/", "", "/a/./b"])
    func `a parent that leads up is refused`(parent: String) {
        #expect(throws: (any Error).self) {
            try Cgroups.create(id: "apus-test", resources: nil, policy: .strict, parent: parent)
        }
    }
}
