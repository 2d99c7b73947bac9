import CLinux
import Glibc
import Linux
import SystemPackage

/// A program of the machine's that reads what it is to do from its standard input: `nft`.
enum HelperProgram {
    /// Namespaces to be in, by their files.
    struct Place {
        var user: FileDescriptor?
        var network: FileDescriptor?
    }

    /// Runs `name` to its end.
    ///
    /// The caller must have one thread.
    ///
    /// - Parameters:
    ///   - package: The Debian package that has it, for the error.
    ///   - place: Where it runs.
    /// - Returns: How it ended, and what it said, at most 1 MiB of it.
    static func run(
        _ name: String, _ arguments: [String], input: String = "", package: String, in place: Place = Place()
    ) throws(Failure) -> (status: ExitStatus, output: String) {
        guard let path = ProgramPath.find(name) else { throw missing(name, package: package) }
        return try step("run", name) { () throws(SystemCallError) in
            let script = FileDescriptor(rawValue: try check("memfd_create") { memfd_create(name, UInt32(MFD_CLOEXEC)) })
            defer { script.closeQuietly() }
            try script.writeFully(input.utf8)
            try check("lseek") { CInt(truncatingIfNeeded: lseek(script.rawValue, 0, SEEK_SET)) }
            let (read, write) = try FileDescriptor.makePipe()
            defer { read.closeQuietly() }
            guard let child = try Clone.clone() else {
                execute(path, [name] + arguments, streams: [script, write, write], in: place)
            }
            write.closeQuietly()
            defer { child.pidfd.closeQuietly() }
            let text: [UInt8]
            do throws(SystemCallError) {
                text = try read.readAll(limit: 1 << 20)
            } catch {
                _ = try? child.send(SIGKILL)  // `try?`: the first error is the one to report, and so below
                _ = try? child.reap()  // `try?`: as above
                throw error
            }
            return (try child.reap() ?? .exited(code: 1), String(decoding: text, as: UTF8.self))
        }
    }

    static func missing(_ name: String, package: String) -> Failure {
        Failure(
            "network", name, "not found on this machine",
            remedy: "install \(package) (apt install \(package)), or use --network none or host")
    }

    /// In a child: becomes the program.
    ///
    /// - Parameter keeps: A descriptor beside the three streams that it is to have.
    static func execute(
        _ path: String, _ arguments: [String], streams: [FileDescriptor], in place: Place = Place(),
        keeps: FileDescriptor? = nil
    ) -> Never {
        for (number, stream) in streams.enumerated() { dup2(stream.rawValue, CInt(number)) }
        let first = UInt32(streams.count)
        do throws(SystemCallError) {
            if let user = place.user {
                try CurrentProcess.join(.user, file: user, named: "user")
                // Whoever is not root there would lose the rights over it by executing.
                let all = try Capabilities.effective()
                try Capabilities.set(
                    effective: all, permitted: all, inheritable: all, ambient: .networkAdministration)
            }
            if let network = place.network { try CurrentProcess.join(.network, file: network, named: "network") }
        } catch {
            CurrentProcess.exitNow(126)
        }
        if let keeps {
            _ = apus_fcntl_int(keeps.rawValue, F_SETFD, 0)
            if UInt32(keeps.rawValue) > first { _ = apus_close_range(first, UInt32(keeps.rawValue) - 1, 0) }
            _ = apus_close_range(UInt32(keeps.rawValue) + 1, UInt32.max, 0)
        } else {
            _ = apus_close_range(first, UInt32.max, 0)  // locks of the caller's among them, at once
        }
        try? SignalSet.resetForExec()  // `try?`: the helper works with the caller's signals too
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        execv(path, &pointers)
        CurrentProcess.exitNow(127)
    }
}
