import Glibc
import Linux
import SystemPackage

/// Cgroups that no record names: their names say who made them, and whoever makes the next one removes what others that
/// were killed have left.
///
/// The maker holds a lock (flock) on the directory for as long as it lives. That alone would not do, as there is a moment
/// between the two; nor would its number alone, which another PID namespace may not know, or know for another process.
public enum OwnedCgroupName {
    /// Ends with its maker.
    private static let owned = "limit-"
    /// Stays while there are processes in it.
    private static let lingering = "linger-"

    /// A new name.
    ///
    /// - Parameter lingers: Whether what runs there may outlive its maker.
    public static func make(lingers: Bool) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var random = UInt64.random(in: 0...UInt64.max)
        var suffix: [UInt8] = []
        for _ in 0..<16 {
            suffix.append(digits[Int(random & 15)])
            random >>= 4
        }
        return "\(lingers ? lingering : owned)\(getpid())-\(String(decoding: suffix, as: UTF8.self))"
    }

    /// Who made it; `nil` for a name that is none of these.
    static func maker(of name: String) -> (pid: pid_t, lingers: Bool)? {
        for (prefix, lingers) in [(owned, false), (lingering, true)] where name.hasPrefix(prefix) {
            guard let end = name.lastIndex(of: "-"), end >= name.index(name.startIndex, offsetBy: prefix.utf8.count),
                let pid = pid_t(name[name.index(name.startIndex, offsetBy: prefix.utf8.count)..<end])
            else { return nil }
            return (pid, lingers)
        }
        return nil
    }
}

extension Cgroup {
    /// Where it lies, for people.
    public var path: String { mainDirectory?.path ?? "" }

    /// How often a process or thread could not be made because of the limit of them; 0 where nothing counts that.
    public func refusedForks() throws -> UInt64 { try processDirectory?.readNumber("max", in: "pids.events") ?? 0 }

    /// The most processes and threads that there were at one time; `nil` before Linux 6.11, and on v1 without a limit.
    public func processPeak() -> UInt64? {
        // `try?`: a peak that cannot be read is not known
        (try? processDirectory?.readIfThere("pids.peak")).flatMap { $0 }.flatMap { UInt64($0) }
    }

    /// The most swap that its processes have had, in bytes; `nil` before Linux 6.5, and on v1.
    public func swapPeak() -> UInt64? {
        guard record.kind == .v2 else { return nil }
        // `try?`: as above
        return (try? mainDirectory?.readIfThere("memory.swap.peak")).flatMap { $0 }.flatMap { UInt64($0) }
    }

    /// Marks it as in use for as long as this process lives.
    public func hold() throws {
        guard let main = mainDirectory else { return }
        // Nobody else has a reason to lock what has just been made; one who does only makes it stay.
        _ = try main.descriptor.lock(wait: false)
    }

    /// Removes what others like it have left that were killed, with all that still runs in there.
    public func removeAbandonedNeighbours() {
        guard let main = mainDirectory, let slash = main.path.lastIndex(of: "/") else { return }
        let above = String(main.path[..<slash])
        // `try?`: what cannot be removed now the next one finds again
        guard let names = try? CgroupDirectory(above).children() else { return }
        for name in names {
            guard let (pid, lingers) = OwnedCgroupName.maker(of: name), Glibc.kill(pid, 0) != 0, errno == ESRCH,
                let directory = try? CgroupDirectory("\(above)/\(name)"),  // `try?`: as above, and so below
                (try? directory.descriptor.lock(wait: false)) == true
            else { continue }
            if lingers, (try? directory.processes().isEmpty) != true { continue }
            for left in Cgroups.leftover(id: name) {
                try? left.kill()  // `try?`: as above
                try? left.remove()  // `try?`: as above
            }
        }
    }
}
