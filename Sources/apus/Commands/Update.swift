import ArgumentParser
import Containers
import Linux

/// `apus update`: other limits for containers that exist.
struct Update: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Change the limits or the restart policy of containers, running or not")

    @Option(name: [.customShort("m"), .long], help: "Limit memory, such as 256m") var memory: String?
    @Option(help: "Limit memory and swap together, -1 for no limit of swap") var memorySwap: String?
    @Option(help: "Reclaim down to this when the host is short") var memoryReservation: String?
    @Option(help: "Limit CPU time to so many CPUs, such as 1.5") var cpus: String?
    @Option(name: [.customShort("c"), .long], help: "Weight against other containers (usual 1024)")
    var cpuShares: String?
    @Option(help: "Period of --cpu-quota in microseconds (usual 100000)") var cpuPeriod: String?
    @Option(help: "CPU time in each period in microseconds, -1 for no limit") var cpuQuota: String?
    @Option(help: "CPUs to run on, such as 0-3,7") var cpusetCpus: String?
    @Option(help: "Memory nodes to use, such as 0,1") var cpusetMems: String?
    @Option(help: "Limit processes and threads, -1 for no limit") var pidsLimit: String?
    @Option(help: "Weight of block input and output, 10 to 1000") var blkioWeight: String?
    @Option(help: "no, always, unless-stopped or on-failure[:RETRIES]") var restart: String?
    @Argument(help: "Names, IDs or unique ID prefixes") var containers: [String]

    func run() throws {
        let update = try update()
        let store = try openStore()
        try forEachReportingFailures(containers) { name in
            let container = try store.find(name)
            defer { container.close() }
            try update.apply(to: container)
            Output.line(name)
        }
    }

    private func update() throws -> LimitUpdate {
        var update = LimitUpdate()
        try readMemory(&update.resources)
        try readCPU(&update.resources)
        update.resources.pids = try value("pids-limit", pidsLimit) { text throws(Failure) in
            let number: Int64 = try Values.integer(text, in: -1...Int64.max)
            return number == 0 ? -1 : number
        }
        update.resources.blockWeight = try value("blkio-weight", blkioWeight) { text throws(Failure) in
            try Values.integer(text, in: 10...1000)
        }
        update.restart = try value("restart", restart, ModeSyntax.restart)
        guard update.isEmpty else { return update }
        throw UsageError("nothing to update: give at least one option", command: "update")
    }

    private func readMemory(_ limits: inout ResourceLimits) throws {
        limits.memory = try value("memory", memory, Values.memoryLimit)
        limits.memorySwap = try value("memory-swap", memorySwap, Values.sizeOrUnlimited)
        limits.memoryReservation = try value("memory-reservation", memoryReservation, Values.positiveSize)
    }

    private func readCPU(_ limits: inout ResourceLimits) throws {
        limits.nanoCPUs = try value("cpus", cpus, Values.nanoCPUs)
        limits.cpuShares = try value("cpu-shares", cpuShares) { text throws(Failure) in
            try Values.integer(text, in: 2...262_144)
        }
        limits.cpuPeriod = try value("cpu-period", cpuPeriod) { text throws(Failure) in
            try Values.integer(text, in: 1000...1_000_000)
        }
        limits.cpuQuota = try value("cpu-quota", cpuQuota) { text throws(Failure) in
            text == "-1" ? -1 : try Values.integer(text, in: 1000...Int64.max)
        }
        limits.cpusetCPUs = try value("cpuset-cpus", cpusetCpus, Values.cpuList)
        limits.cpusetMemoryNodes = try value("cpuset-mems", cpusetMems, Values.cpuList)
        if limits.nanoCPUs != nil, limits.cpuQuota != nil || limits.cpuPeriod != nil {
            throw Failure("update", "--cpus", "says the same as --cpu-quota and --cpu-period; give one")
        }
    }

    /// Reads one option's text.
    ///
    /// - Throws: With the option's name in front.
    private func value<Result>(
        _ name: String, _ text: String?, _ parse: (String) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard let text else { return nil }
        do throws(Failure) {
            return try parse(text)
        } catch {
            throw error.naming("update --\(name)")
        }
    }
}
