import CLinux
import FoundationEssentials
import Glibc
import Linux
import SystemPackage
import Testing

/// Processes by a number in their command line that no other test uses.
enum MarkedProcesses {
    /// Nine digits, so that `sleep` takes it too.
    static func newMark() -> String { "\(Int.random(in: 100_000_000...999_999_999))" }

    /// Handles of those that have `mark` among their words; the caller closes them.
    static func find(_ mark: String) -> [ProcessHandle] {
        // `try?` here and below: always there; and processes that end while they are looked at are not looked for
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { pid_t($0) }.compactMap { pid in
            guard let process = try? ProcessHandle.open(pid) else { return nil }  // `try?`: as above
            if words(of: pid).contains(where: { $0.contains(mark) }) { return process }
            process.pidfd.closeQuietly()
            return nil
        }
    }

    private static func words(of pid: pid_t) -> [Substring] {
        // `try?`: a process that is gone has no words
        let bytes = try? FileDescriptor.workingDirectory.contents(of: "/proc/\(pid)/cmdline", limit: 1 << 20)
        return String(decoding: bytes ?? [], as: UTF8.self).split(separator: "\0")
    }

    /// Waits for their end.
    ///
    /// - Throws: `TimedOut` when one does not end.
    static func waitForEnd(_ mark: String) throws {
        for process in find(mark) {
            defer { process.pidfd.closeQuietly() }
            _ = try Deadline.after(10).wait(for: [(process.pidfd, POLLIN)], "the end of process \(process.pid)")
        }
    }

    /// Kills those outside of all containers, commands of Apus and supervisors, and those that they forked meanwhile.
    static func killSupervisors(_ mark: String) throws {
        while true {
            let processes = find(mark).filter { !$0.hasEnded() }
            defer { for process in processes { process.pidfd.closeQuietly() } }
            let supervisors = processes.filter { !isInContainer($0.pid) }
            if supervisors.isEmpty { return }
            for process in supervisors { try process.send(SIGKILL) }
            for process in supervisors {
                _ = try Deadline.after(10).wait(for: [(process.pidfd, POLLIN)], "the end of \(process.pid)")
            }
        }
    }

    /// Whether it has a PID of its own in a namespace below this one's.
    private static func isInContainer(_ pid: pid_t) -> Bool {
        // `try?`: a process that is gone need not be killed
        let status = try? FileDescriptor.workingDirectory.contents(of: "/proc/\(pid)/status", limit: 1 << 16)
        let lines = String(decoding: status ?? [], as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix("NSpid:") }?.split(separator: "\t").count != 2
    }
}

extension Apus {
    /// Makes a container whose supervisor has been killed, and that nobody has looked at since.
    ///
    /// - Returns: Its ID.
    func abandoned(_ name: String, limits: Bool = false) throws -> String {
        let mark = MarkedProcesses.newMark()
        let id = try detached(name, limits ? limitFlags : [], command: ["sleep", mark])
        try MarkedProcesses.killSupervisors(mark)
        try waitUntilAbandoned(id)
        return id
    }

    private func waitUntilAbandoned(_ id: String) throws {
        let alive = try FileDescriptor.workingDirectory.open("\(data)/alive/\(id)")
        defer { alive.closeQuietly() }
        _ = try alive.lock(exclusive: false, wait: true)
    }

    /// Changes the text of a container's state record.
    func editState(_ id: String, _ change: (String) throws -> String) throws {
        let path = "\(data)/containers/\(id)/state.json"
        let old = try String(contentsOfFile: path, encoding: .utf8)
        let new = try change(old)
        try #require(new != old, "the record has nothing to change: \(old)")
        try replace(path, new)
    }

    /// Puts a file of the caller's in the place of another.
    func replace(_ path: String, _ content: String) throws {
        unlink(path)
        try content.write(toFile: path, atomically: false, encoding: .utf8)
        try check("chown", path) { chown(path, account.uid, account.gid) }
    }

    /// What is left after the next command of any kind.
    func leftoversAfterNextCommand() throws -> [String] {
        let listing = try self("ps")
        #expect(listing.status == 0 && listing.errors.isEmpty, "\(listing)")
        return try leftovers()
    }
}
