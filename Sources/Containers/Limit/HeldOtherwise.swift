import CLinux
import Cgroups
import Glibc
import Linux
import OCI
import Reports

/// What holds those limits that no cgroup can hold here (`--limits best-effort`): the kernel's limits of each process by
/// itself, and looking at all of them from time to time.
struct HeldOtherwise {
    let config: LimitConfig
    /// The flags, without dashes, of the limits that no cgroup holds.
    let flags: [String]

    /// One of them, as it is told.
    struct Substitute {
        let flag: String
        /// `nil` if nothing holds it.
        let mechanism: UsageReport.Mechanism?
        let text: String
    }

    init(_ config: LimitConfig, _ records: [LimitRecord]) {
        self.config = config
        var flags: [String] = []
        for record in records where !record.enforced {
            let flag = LimitedRun.flag(of: record.limit)
            if !flags.contains(flag) { flags.append(flag) }
        }
        self.flags = flags
    }

    func holds(_ flag: String) -> Bool { flags.contains(flag) }

    var substitutes: [Substitute] { flags.map(substitute) }

    private func substitute(_ flag: String) -> Substitute {
        switch flag {
        case "memory":
            Substitute(
                flag: flag, mechanism: .sampling,
                text: "resident memory is looked at from time to time, and each process by itself has no more data")
        case "pids":
            Substitute(flag: flag, mechanism: .sampling, text: "processes are counted from time to time")
        case "cpus":
            Substitute(
                flag: flag, mechanism: .scheduler,
                text: "it runs on no more than \(wholeProcessors) processor\(wholeProcessors == 1 ? "" : "s")")
        case "cpuset":
            Substitute(
                flag: flag, mechanism: .scheduler, text: "the command may choose other processors for itself")
        default: Substitute(flag: flag, mechanism: nil, text: "nothing holds it")
        }
    }

    private var wholeProcessors: Int64 { max(1, ((config.resources.nanoCPUs ?? 0) + 999_999_999) / 1_000_000_000) }

    /// Adds to a process what the kernel holds of them.
    func apply(to process: inout Spec.Process) {
        var limits = process.rlimits ?? []
        if holds("memory"), let memory = config.resources.memory {
            limits.append(LimitConfig.rlimit("RLIMIT_DATA", memory))
        }
        process.rlimits = limits.isEmpty ? nil : limits
        if holds("cpuset"), let cpuset = config.resources.cpusetCPUs {
            process.execCPUAffinity = Spec.CPUAffinity(final: cpuset)
        } else if holds("cpus") {
            process.execCPUAffinity = Spec.CPUAffinity(final: firstProcessors())
        }
    }

    /// So many of those that this process may run on.
    private func firstProcessors() -> String? {
        var allowed = cpu_set_t()
        guard sched_getaffinity(0, MemoryLayout<cpu_set_t>.size, &allowed) == 0 else { return nil }
        var numbers: [String] = []
        withUnsafeBytes(of: &allowed) { bytes in
            for number in 0..<(bytes.count * 8) where bytes[number / 8] & 1 << UInt8(number % 8) != 0 {
                if numbers.count < wholeProcessors { numbers.append("\(number)") }
            }
        }
        return numbers.joined(separator: ",")
    }
}
