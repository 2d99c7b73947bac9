import CLinux
import Glibc
public import Linux
public import OCI
import SystemPackage

/// The points of a container's life at which programs of the engine's run.
///
/// - Note: OCI Runtime Specification, config.md, "POSIX-platform Hooks".
public enum HookPoint: String, Sendable {
    case prestart, createRuntime, createContainer, startContainer, poststart, poststop

    /// Runs programs one after the other, each to its end.
    ///
    /// - Parameters:
    ///   - state: What each gets on standard input.
    ///   - environment: Of those that name none; `nil` for this process' own.
    /// - Throws: When one cannot be run, ends with another status than 0, or takes longer than its timeout. Those after it
    ///   are not run.
    public func run(_ hooks: [Spec.Hook]?, _ state: State, environment: [String]? = nil) throws(Failure) {
        guard let hooks, !hooks.isEmpty else { return }
        let text = state.json()
        for (index, hook) in hooks.enumerated() {
            try HookRun(hook, named: "\(rawValue)[\(index)] '\(hook.path)'", environment).run(input: text)
        }
    }
}

/// One run of one hook.
private struct HookRun {
    private let hook: Spec.Hook
    private let name: String
    private let environment: [String]?

    /// What is kept of its output, for the message.
    private static let outputLimit = 1 << 16

    init(_ hook: Spec.Hook, named name: String, _ environment: [String]?) {
        self.hook = hook
        self.name = name
        self.environment = hook.env ?? environment
    }

    func run(input text: [UInt8]) throws(Failure) {
        let input = try step("run hook", name) { () throws(SystemCallError) in try Self.file(of: text) }
        defer { input.closeQuietly() }
        let (read, write) = try step("run hook", name) { () throws(SystemCallError) in try FileDescriptor.makePipe() }
        defer { read.closeQuietly() }
        let child = try step("run hook", name) { () throws(SystemCallError) in try Clone.clone() }
        guard let child else { execute(input, write) }
        write.closeQuietly()
        defer { child.pidfd.closeQuietly() }
        var output: [UInt8] = []
        let hasEnded = wait(for: child, output: read, &output)
        if !hasEnded { _ = try? child.send(SIGKILL) }  // `try?`: it has just ended then
        let status = try step("run hook", name) { () throws(SystemCallError) in try child.reap() }
        guard hasEnded else { throw Failure("run hook", name, "took longer than \(hook.timeout ?? 0) s") }
        try judge(status ?? .exited(code: 0), output)
    }

    private func judge(_ status: ExitStatus, _ output: [UInt8]) throws(Failure) {
        let said = String(decoding: output, as: UTF8.self).split(separator: "\n").joined(separator: "; ")
        let remark = said.isEmpty ? "" : ", and said: \(said)"
        switch status {
        case .exited(code: 0): return
        case .exited(let code): throw Failure("run hook", name, "exit status \(code)\(remark)")
        case .signaled(let signal, _): throw Failure("run hook", name, "killed by signal \(signal)\(remark)")
        }
    }

    /// A file, not a pipe: a hook that does not read its input must neither block nor end this process.
    private static func file(of text: [UInt8]) throws(SystemCallError) -> FileDescriptor {
        let file = FileDescriptor(rawValue: try check("memfd_create") { memfd_create("state", UInt32(MFD_CLOEXEC)) })
        do throws(SystemCallError) {
            try file.writeFully(text)
            try check("lseek") { CInt(lseek(file.rawValue, 0, SEEK_SET)) }
            return file
        } catch {
            file.closeQuietly()
            throw error
        }
    }

    /// Takes what the hook writes until it ends; what it leaves running may hold the pipe for longer.
    ///
    /// - Returns: Whether it ended within its timeout.
    private func wait(for child: ProcessHandle, output: FileDescriptor, _ text: inout [UInt8]) -> Bool {
        let deadline = hook.timeout.map { Self.milliseconds() + $0 * 1000 }
        var entries = [child.pidfd, output].map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: Self.outputLimit)  // all that a pipe holds
        while true {
            let rest = deadline.map { $0 - Self.milliseconds() }
            if let rest, rest <= 0 { return false }
            guard poll(&entries, 2, rest.map { CInt(clamping: $0) } ?? -1) > 0 else { continue }
            if entries[1].revents != 0 {
                let count = Glibc.read(output.rawValue, &buffer, buffer.count)
                if count > 0 {
                    text += buffer[..<min(count, Self.outputLimit - text.count)]
                } else {
                    entries[1].fd = -1
                }
            }
            if entries[0].revents != 0 { return true }
        }
    }

    private static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    private func execute(_ input: FileDescriptor, _ output: FileDescriptor) -> Never {
        dup2(input.rawValue, STDIN_FILENO)
        dup2(output.rawValue, STDOUT_FILENO)
        dup2(output.rawValue, STDERR_FILENO)
        _ = apus_close_range(3, UInt32.max, 0)  // those that the command is to inherit among them
        try? SignalSet.resetForExec()  // `try?`: a hook works with the caller's signals too
        var arguments: [UnsafeMutablePointer<CChar>?] = (hook.args ?? [hook.path]).map { strdup($0) } + [nil]
        if let environment {
            var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
            execve(hook.path, &arguments, &variables)
        } else {
            execv(hook.path, &arguments)
        }
        let reason = "\(Errno(rawValue: errno).reason)\n"
        try? FileDescriptor(rawValue: STDERR_FILENO).writeFully(reason.utf8)  // `try?`: the status says that it failed
        CurrentProcess.exitNow(127)
    }
}
