import Cgroups
import Glibc
import Linux

/// Why a command under `apus limit` ended, and what to say of it.
struct LimitVerdict {
    /// What Apus itself ended it for.
    enum Cut {
        case timeout, cpuTime, output
        /// Where no cgroup holds them.
        case memory, pids
    }

    /// A process that was killed for want of memory, as far as it is known.
    struct Victim: Equatable {
        /// As this process' PID namespace has it.
        var pid: pid_t?
        var name: String?
    }

    let config: LimitConfig
    let status: ExitStatus
    var cut: Cut?
    /// How many processes the kernel, or Apus, has killed for want of memory.
    var memoryKills: UInt64 = 0
    var victim: Victim?
    /// In bytes.
    var memoryPeak: UInt64?
    /// How many bytes it has printed; `nil` if nobody counted.
    var output: UInt64?
    /// How many processes could not be made.
    var refusedForks: UInt64 = 0
    /// The most processes that there were at one time, where the kernel keeps that.
    var processPeak: UInt64?

    /// What a script sees: 124 at the timeout, 152 and 153 as the kernel's own limits of CPU time and sizes have it, and
    /// the command's own otherwise, which for one that ran out of memory is 137.
    var exitCode: Int32 {
        switch cut {
        case .timeout: 124
        case .cpuTime: 128 + SIGXCPU
        case .output: 128 + SIGXFSZ
        case .memory, .pids: 128 + SIGKILL
        case nil: status.code
        }
    }

    /// Whether a file has become too large.
    var hitFileSize: Bool {
        guard config.fileSize != nil, case .signaled(SIGXFSZ, _) = status else { return false }
        return true
    }

    /// What the user should know, in one line without `apus: `; nothing of an end that was the command's own doing.
    var line: String? {
        switch cut {
        case .timeout: return "timeout of \(Wording.seconds(config.timeout ?? 0)) hit: the command was ended"
        case .cpuTime: return "CPU time limit of \(Wording.seconds(config.cpuTime ?? 0)) hit: the command was ended"
        case .output:
            return "output limit of \(Wording.size(UInt64(config.outputSize ?? 0))) hit: the command was killed"
        case .pids: return "limit of \(config.resources.pids ?? 0) processes hit: the command was killed"
        case .memory, nil: break
        }
        if memoryKills > 0 { return memoryLine }
        if hitFileSize {
            return "file size limit of \(Wording.size(UInt64(config.fileSize ?? 0))) hit: the command was ended"
        }
        if refusedForks > 0, let pids = config.resources.pids {
            let limit =
                refusedBelowLimit ? "out of processes below the limit of \(pids)" : "limit of \(pids) processes hit"
            return "\(limit): \(refusedForks) more could not be made"
        }
        return nil
    }

    /// Whether processes were killed for want of memory far below the limit: then it is the machine's, or the limit of a
    /// cgroup above, that was reached.
    var ranOutBelowLimit: Bool {
        guard let limit = config.resources.memory, let memoryPeak else { return false }
        return memoryPeak < UInt64(limit) / 8 * 7
    }

    /// Whether processes were refused while there were fewer than the limit: kernels before 6.11, and cgroup v1, count that
    /// also where the limit of a cgroup above was reached.
    var refusedBelowLimit: Bool {
        guard let limit = config.resources.pids, let processPeak else { return false }
        return processPeak < UInt64(limit)
    }

    private var memoryLine: String {
        let asked = config.resources.memory.map { Wording.size(UInt64($0)) }
        let limit =
            asked.map {
                ranOutBelowLimit ? "out of memory below the limit of \($0)" : "memory limit of \($0) hit"
            } ?? "out of memory"
        let peak = memoryPeak.map { ", peak \(Wording.size($0))" } ?? ""
        let others = memoryKills > 1 ? " and \(memoryKills - 1) more" : ""
        return "\(limit): killed \(victim?.text ?? "a process")\(others)\(peak)"
    }
}

extension LimitVerdict.Victim {
    /// `pid 71 (cc1plus)`
    var text: String {
        let name = name.map { "(\($0))" }
        return switch (pid, name) {
        case (let pid?, let name?): "pid \(pid) \(name)"
        case (let pid?, nil): "pid \(pid)"
        case (nil, let name?): "a process \(name)"
        case (nil, nil): "a process"
        }
    }
}

extension Wording {
    /// `512 MiB`, `1.5 GiB`, `1000 bytes`: at most one decimal.
    static func size(_ bytes: UInt64) -> String {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] as [(String, UInt64)] where bytes >= 1 << shift {
            let tenths = ((bytes >> (shift - 7)) &* 10) >> 7
            return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return bytes == 1 ? "1 byte" : "\(bytes) bytes"
    }
}
