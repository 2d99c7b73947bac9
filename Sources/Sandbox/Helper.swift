import CLinux
import Glibc
public import Linux
import SystemPackage

/// A program of the machine's that Apus calls for what only it may do: `newuidmap`, `ps`.
public enum Helper {
    /// Runs `name` to its end and keeps what it wrote to standard error.
    ///
    /// - Parameter package: The Debian package that has it, for the error.
    /// - Returns: How it ended, and the first line of what it said.
    public static func run(
        _ name: String, _ arguments: [String], package: String
    ) throws(Failure) -> (status: ExitStatus, message: String) {
        guard let path = find(name) else {
            throw Failure("run", name, "not found on this machine", remedy: "install \(package)")
        }
        return try step("run", name) { () throws(SystemCallError) in
            let (read, write) = try FileDescriptor.makePipe()
            defer { read.closeQuietly() }
            guard let child = try Clone.clone() else {
                execute(path, [name] + arguments, writes: write, to: [STDERR_FILENO])
            }
            write.closeQuietly()
            defer { child.pidfd.closeQuietly() }
            // What it says is bounded: a longer text is no message.
            let text = (try? read.readAll(limit: 1 << 16)) ?? []  // `try?`: without a message its status still counts
            let status = try child.reap() ?? .exited(code: 1)
            let line = text.split(separator: UInt8(ascii: "\n")).first ?? []
            return (status, String(decoding: line, as: UTF8.self))
        }
    }

    /// Runs the program at `path` to its end and keeps what it wrote.
    ///
    /// - Parameters:
    ///   - arguments: With the program's own name first.
    ///   - descriptors: What of it is kept: `STDOUT_FILENO`, `STDERR_FILENO` or both, in the order of writing.
    /// - Throws: Also when it writes more than 64 MiB.
    public static func output(
        of path: String, _ arguments: [String], from descriptors: [CInt] = [STDOUT_FILENO]
    ) throws(Failure) -> (status: ExitStatus, output: [UInt8]) {
        try step("run", path) { () throws(SystemCallError) in
            let (read, write) = try FileDescriptor.makePipe()
            defer { read.closeQuietly() }
            guard let child = try Clone.clone() else { execute(path, arguments, writes: write, to: descriptors) }
            write.closeQuietly()
            defer { child.pidfd.closeQuietly() }
            let text: [UInt8]
            do throws(SystemCallError) {
                text = try read.readAll(limit: 64 << 20)
            } catch {
                child.endQuietly()
                throw error
            }
            return (try child.reap() ?? .exited(code: 1), text)
        }
    }

    /// Where `name` lies in this process' search path, or in the system's own directories.
    public static func find(_ name: String) -> String? { ProgramPath.find(name) }

    private static func execute(
        _ path: String, _ arguments: [String], writes: FileDescriptor, to descriptors: [CInt]
    ) -> Never {
        for descriptor in descriptors { dup2(writes.rawValue, descriptor) }
        _ = apus_close_range(3, UInt32.max, 0)  // locks of the caller's among them, at once
        try? SignalSet.resetForExec()  // `try?`: the helper works with the caller's signals too
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        execv(path, &pointers)
        CurrentProcess.exitNow(127)
    }
}
