import CLinux
import Glibc
import Linux
import SystemPackage

/// The processes that descend from one, where no cgroup tells which they are.
///
/// - Note: proc_pid_stat(5).
struct ProcessFamily {
    struct Member {
        let pid: pid_t
        /// Its own and that of the children it has waited for, in clock ticks.
        let ticks: UInt64
        let threads: UInt64
        /// In pages.
        let resident: UInt64
        let isZombie: Bool
    }

    private(set) var members: [Member] = []

    /// In nanoseconds.
    var cpuTime: UInt64 {
        members.reduce(0) { $0 + $1.ticks } * (1_000_000_000 / UInt64(max(sysconf(CInt(_SC_CLK_TCK)), 1)))
    }

    /// Processes and threads.
    var threads: UInt64 { members.reduce(0) { $0 + ($1.isZombie ? 0 : $1.threads) } }

    /// Resident memory, in bytes; what several have is counted for each.
    var memory: UInt64 { members.reduce(0) { $0 + $1.resident } * UInt64(max(sysconf(CInt(_SC_PAGESIZE)), 1)) }

    /// The one with the most memory.
    var largest: Member? { members.max { $0.resident < $1.resident } }

    /// Looks at all that descend from this process.
    ///
    /// - Parameter others: Children of this process that are none of them.
    static func look(but others: [pid_t]) -> ProcessFamily {
        var family = ProcessFamily()
        var known = [getpid()]
        var rest = everyProcess().filter { !others.contains($0.member.pid) }
        var grew = true
        while grew {
            grew = false
            var left: [(parent: pid_t, member: Member)] = []
            for entry in rest {
                if known.contains(entry.parent) {
                    known.append(entry.member.pid)
                    family.members.append(entry.member)
                    grew = true
                } else {
                    left.append(entry)
                }
            }
            rest = left
        }
        return family
    }

    private static func everyProcess() -> [(parent: pid_t, member: Member)] {
        // `try?`: where /proc is hidden nothing can be told
        guard let proc = try? FileDescriptor.workingDirectory.open("/proc", O_RDONLY | O_DIRECTORY) else { return [] }
        defer { proc.closeQuietly() }
        let names = (try? proc.entries()) ?? []  // `try?`: as above
        return names.compactMap { name in
            guard let pid = pid_t(name), let bytes = try? proc.contents(of: "\(name)/stat", limit: 4096) else {
                return nil  // `try?`: one that is gone
            }
            return entry(pid, bytes)
        }
    }

    private static func entry(_ pid: pid_t, _ bytes: [UInt8]) -> (parent: pid_t, member: Member)? {
        // The command's name is in parentheses and may hold any byte.
        guard let close = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 23)
        guard fields.count > 22 else { return nil }
        func number(_ index: Int) -> UInt64 {
            fields[index].reduce(0) { $1 >= 0x30 && $1 <= 0x39 ? $0 &* 10 &+ UInt64($1 - 0x30) : $0 }
        }
        let member = Member(
            pid: pid, ticks: number(11) + number(12) + number(13) + number(14), threads: number(17),
            resident: number(21), isZombie: fields[0].first == UInt8(ascii: "Z"))
        return (pid_t(truncatingIfNeeded: number(1)), member)
    }

    /// Kills all that descend from this process, also those that fork meanwhile, and reaps them; at most two seconds.
    ///
    /// - Parameter others: Children of this process that are none of them.
    /// - Returns: What those that were reaped have used.
    static func kill(but others: [pid_t]) throws(SystemCallError) -> ResourceUsage {
        var usage = ResourceUsage()
        let end = Clock.monotonic() + 2_000_000_000
        while Clock.monotonic() < end {
            let running = look(but: others).members.filter { !$0.isZombie }
            // All are stopped before any is killed, so that none makes another in the meantime.
            for member in running { Glibc.kill(member.pid, SIGSTOP) }
            for member in running { Glibc.kill(member.pid, SIGKILL) }
            usage.add(try CurrentProcess.reapOrphans(but: others.first).usage)
            if running.isEmpty { break }
            poll(nil, 0, 1)
        }
        return usage
    }
}

/// A variable in the environment of a command that no cgroup holds: by it what the command has started is found when this
/// process is killed.
struct FamilyMark {
    static let name = "APUS_LIMIT_ID"
    let value: String

    var variable: String { "\(Self.name)=\(value)" }

    /// Kills every process that has it, at most for two seconds.
    func killAll() {
        let end = Clock.monotonic() + 2_000_000_000
        while Clock.monotonic() < end {
            let (found, hasUnknown) = find()
            if found.isEmpty && !hasUnknown { return }
            for pid in found { Glibc.kill(pid, SIGSTOP) }
            for pid in found { Glibc.kill(pid, SIGKILL) }
            poll(nil, 0, found.isEmpty ? 10 : 1)
        }
    }

    /// - Returns: Those that have it; whether there are others of which that cannot be told yet: while a program is being
    ///   executed, its process has no environment to be seen.
    private func find() -> (found: [pid_t], hasUnknown: Bool) {
        // `try?`: where /proc is hidden nobody can be found
        guard let proc = try? FileDescriptor.workingDirectory.open("/proc", O_RDONLY | O_DIRECTORY) else {
            return ([], false)
        }
        defer { proc.closeQuietly() }
        let mark = Array(variable.utf8)
        var found: [pid_t] = []
        var hasUnknown = false
        for name in (try? proc.entries()) ?? [] {  // `try?`: as above
            guard let pid = pid_t(name), pid != getpid(),
                // `try?`: one that is gone, or another user's
                let variables = try? proc.contents(of: "\(name)/environ", limit: 4 << 20)
            else { continue }
            if variables.isEmpty {
                // The kernel's own threads, and those that have ended, have no program either.
                if proc.linkTarget(of: "\(name)/exe") != nil { hasUnknown = true }
            } else if variables.split(separator: 0).contains(where: { $0.elementsEqual(mark) }) {
                found.append(pid)
            }
        }
        return (found, hasUnknown)
    }
}
