import FoundationEssentials
import Glibc
import Testing

/// One after another: they look for what is left of any limited command.
@Suite(.serialized) enum LimitSuites {}

/// Calls of `apus limit`.
extension Apus {
    /// `apus limit FLAGS -- COMMAND`.
    func limit(_ flags: [String], _ command: [String]) throws -> Outcome {
        try self(["limit"] + flags + ["--"] + command)
    }

    /// `apus limit FLAGS -- sh -c SCRIPT`.
    func limitedShell(_ flags: [String], _ script: String) throws -> Outcome {
        try self(["limit"] + flags + ["--", "/bin/sh", "-c", script])
    }

    /// Expects that after a few more calls nothing is left of those before.
    func expectNoLimitLeftovers(location: SourceLocation = #_sourceLocation) throws {
        let deadline = Deadline.after(30)
        repeat {
            #expect(try limit([], ["true"]) == .printed(""), sourceLocation: location)
        } while limitLeftovers() != [] && deadline.milliseconds > 0
        #expect(limitLeftovers() == [], sourceLocation: location)
    }

    /// The cgroups of limited commands whose maker has ended; other tests have some whose makers live.
    func limitLeftovers() -> [String] {
        Leftovers.cgroups(of: ["limit-", "linger-"]).filter { path in
            let parts = path.split(separator: "/").last?.split(separator: "-") ?? []
            guard parts.count == 3, let maker = pid_t(parts[1]) else { return true }
            return kill(maker, 0) != 0 && errno == ESRCH
        }
    }
}

/// Programs of the host that reach limits.
enum Hungry {
    /// Takes memory until the kernel has had enough.
    static let memory = "exec tail /dev/zero"
    /// Uses a processor for as long as it may.
    static let processor = "while :; do :; done"
    /// A tree of processes that never ends by itself.
    static let forks = "f() { f | f & }; f; while :; do f; done"
}
