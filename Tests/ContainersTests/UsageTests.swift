import Linux
import Testing

@testable import Cgroups
@testable import Containers

@Suite struct `what containers use` {
    @Test(
        arguments: [
            (0, "0B", "0B"), (999, "999B", "999B"), (1000, "1000B", "1kB"), (1024, "1KiB", "1.02kB"),
            (2_048_000, "1.953MiB", "2.05MB"), (67_108_864, "64MiB", "67.1MB"), (104_857_600, "100MiB", "105MB"),
            (UInt64.max, "16384PiB", "18447PB"),
        ] as [(UInt64, String, String)])
    func `sizes are written as Docker writes them`(bytes: UInt64, binary: String, decimal: String) {
        #expect(ByteSize.binary(bytes) == binary)
        #expect(ByteSize.decimal(bytes) == decimal)
    }

    @Test func `traffic counts every interface but loopback`() {
        let text = """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
                lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0
              eth0: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0
              eth1:7 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0
            """
        let traffic = NetworkTraffic(netDev: text)
        #expect(traffic.received == 107)
        #expect(traffic.sent == 208)
    }

    @Test func `the processor's share is measured between two samples and memory is without its inactive cache`() {
        func statistics(_ nanoseconds: UInt64) -> CgroupStatistics {
            var cpu = CgroupStatistics.CPU()
            cpu.usage = nanoseconds
            var memory = CgroupStatistics.Memory()
            memory.usage = 3_145_728
            memory.cache = 1_048_576
            var pids = CgroupStatistics.Pids()
            pids.current = 7
            return CgroupStatistics(cpu: cpu, memory: memory, pids: pids)
        }
        let first = ContainerSample(time: 1_000_000_000, cgroup: statistics(0), network: nil)
        let second = ContainerSample(time: 1_500_000_000, cgroup: statistics(750_000_000), network: nil)
        let usage = ContainerUsage(second, since: first, machineMemory: 8 << 20)
        #expect(usage.cpu == "150.00%")
        #expect(usage.memory == "2MiB / 8MiB")
        #expect(usage.memoryShare == "25.00%")
        #expect(usage.processes == "7")
        #expect(usage.block == "-- / --")
    }

    @Test func `a container without a cgroup shows dashes`() {
        let sample = ContainerSample(time: 1, cgroup: nil, network: nil)
        let usage = ContainerUsage(sample, since: nil, machineMemory: 1)
        #expect(usage.cpu == "--")
        #expect(usage.memory == "-- / --")
    }

    @Test func `ps output is filtered by its PID column wherever that is`() throws {
        let text = "USER   PID COMMAND\nroot     1 init  a\nroot    12 sh -c  x\nroot   123 other\n"
        let table = try ProcessTable.filtered(text, pids: [12])
        #expect(table.titles == ["USER", "PID", "COMMAND"])
        #expect(table.rows == [["root", "12", "sh -c  x"]])
        #expect(throws: Failure.self) { try ProcessTable.filtered("COMMAND\nsh\n", pids: [12]) }
    }

    @Test(arguments: [(0, "?"), (0x8803, "pts/3"), (0x0401, "tty1"), (0x0440, "ttyS0"), (0x10_8800, "pts/256")])
    func `terminals are named by their device numbers`(device: Int, name: String) {
        #expect(TerminalName.of(Int32(device)) == name)
    }
}

@Suite struct `updates of limits` {
    @Test func `what is not named stays, and the newer way to limit processors replaces the older`() throws {
        var config = ContainerConfig(root: .host)
        config.resources.memory = 1 << 30
        config.resources.cpuQuota = 50_000
        var update = LimitUpdate()
        update.resources.nanoCPUs = 1_000_000_000
        let changed = try update.applied(to: config).resources
        #expect(changed.memory == 1 << 30)
        #expect(changed.nanoCPUs == 1_000_000_000)
        #expect(changed.cpuQuota == nil)
    }

    @Test func `memory above the limit of memory and swap is refused`() {
        var config = ContainerConfig(root: .host)
        config.resources.memory = 1 << 20
        config.resources.memorySwap = 2 << 20
        var update = LimitUpdate()
        update.resources.memory = 3 << 20
        #expect(throws: Failure.self) { try update.applied(to: config) }
    }

    @Test func `a container that is removed when it ends is not restarted`() {
        var config = ContainerConfig(root: .host)
        config.removeAtEnd = true
        var update = LimitUpdate()
        update.restart = .always
        #expect(throws: Failure.self) { try update.applied(to: config) }
    }
}
