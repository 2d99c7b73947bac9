import CLinux
import Glibc
import Linux
import SystemPackage

/// The container's command: found, checked and executed.
enum Execute {
    /// Replaces this process by `arguments[0]`, searched in the `PATH` of `environment`.
    ///
    /// - Throws: With Docker's exit codes: 127 for what is not there, 126 for what cannot be executed.
    /// - Note: execve(2); the search follows execvp(3).
    static func run(_ arguments: [String], environment: [String]) throws(Failure) -> Never {
        let command = arguments.first ?? ""
        let candidates = candidates(for: command, environment)
        var denied: String?
        withStrings(arguments) { argv in
            withStrings(environment) { envp in
                for path in candidates {
                    execve(path, argv, envp)
                    let error = Errno(rawValue: Glibc.errno)
                    if error == .permissionDenied { denied = denied ?? path }
                    // Found but not executable: no other directory of the path is to be tried.
                    if error != .noSuchFileOrDirectory && error != .notDirectory && error != .permissionDenied {
                        failed = (path, error)
                        return
                    }
                    if error == .noSuchFileOrDirectory && access(path, F_OK) == 0 {
                        failed = (path, error)
                        return
                    }
                }
            }
        }
        if let (path, error) = failed { throw refusal(command, path, error) }
        if let denied { throw refusal(command, denied, .permissionDenied) }
        throw notFound(command, environment)
    }

    private static func notFound(_ command: String, _ environment: [String]) -> Failure {
        if command.contains("/") { return Failure("exec", command, "no such file or directory", exitCode: 127) }
        let path = searchPath(environment)
        return Failure("exec", command, "executable file not found in $PATH (\(path))", exitCode: 127)
    }

    /// Looks for the command without executing it.
    ///
    /// - Throws: As `run` for what is not there, or not executable for this user.
    static func requireExecutable(_ arguments: [String], environment: [String]) throws(Failure) {
        let command = arguments.first ?? ""
        let found = candidates(for: command, environment).filter { path in mayBe { access(path, F_OK) } }
        guard let first = found.first else { throw notFound(command, environment) }
        guard found.contains(where: isExecutable) else { throw refusal(command, first, .permissionDenied) }
    }

    /// By the effective user: access(2) would ask for the real one.
    private static func isExecutable(_ path: String) -> Bool {
        var status = FileStatus()
        guard mayBe({ stat(path, &status) }) else { return false }
        return status.st_mode & S_IFMT != S_IFDIR && mayBe { faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) }
    }

    /// Whether a look at a file says yes, or says nothing: the container's filter may forbid the call, which no file
    /// answers with `EPERM`. execve itself then tells.
    private static func mayBe(_ look: () -> CInt) -> Bool { look() == 0 || Glibc.errno == EPERM }

    /// Ends this process successfully if there is a command that it could execute.
    static func rehearse(_ arguments: [String], environment: [String]) throws(Failure) -> Never {
        let command = arguments.first ?? ""
        let found = candidates(for: command, environment).filter { access($0, F_OK) == 0 }
        guard let first = found.first else {
            throw Failure("exec", command, "no such executable in the container", exitCode: 127)
        }
        guard found.contains(where: { access($0, X_OK) == 0 }) else {
            throw refusal(command, first, .permissionDenied)
        }
        CurrentProcess.exitNow(0)
    }

    /// What stopped the search. Only this process' one thread ever reads or writes it.
    private nonisolated(unsafe) static var failed: (path: String, error: Errno)?

    private static func candidates(for command: String, _ environment: [String]) -> [String] {
        if command.isEmpty { return [] }
        if command.contains("/") { return [command] }
        return searchPath(environment).split(separator: ":").map { "\($0)/\(command)" }
    }

    private static func searchPath(_ environment: [String]) -> String {
        let found = environment.last { $0.hasPrefix("PATH=") }
        return found.map { String($0.dropFirst(5)) } ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    }

    private static func refusal(_ command: String, _ path: String, _ error: Errno) -> Failure {
        switch error {
        case .noSuchFileOrDirectory:
            let needs = interpreter(of: path).map { "its interpreter '\($0)' is not in the container" }
            return Failure("exec", command, needs ?? "its interpreter is not in the container", exitCode: 127)
        case .execFormatError:
            return Failure(
                "exec", command, "exec format error: built for another architecture, or a script without '#!'",
                exitCode: 126)
        case .permissionDenied:
            var status = FileStatus()
            let isDirectory = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            return Failure(
                "exec", command, isDirectory ? "is a directory" : "permission denied",
                remedy: isDirectory ? nil : "is it executable for this user, and its mount not noexec?", exitCode: 126)
        default:
            return Failure("exec", command, error.reason, exitCode: 126)
        }
    }

    /// The program that a script's first line, or an ELF file's program header, names.
    private static func interpreter(of path: String) -> String? {
        let here = FileDescriptor.workingDirectory
        guard let file = try? here.open(path, O_RDONLY | O_NONBLOCK) else {  // `try?`: it only makes the message better
            return nil
        }
        defer { file.closeQuietly() }
        var head = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(file.rawValue, &head, head.count)
        guard count > 64 else { return nil }
        if head.starts(with: [0x23, 0x21]) {
            let line = head[2..<count].prefix { $0 != UInt8(ascii: "\n") }
            return line.split(separator: UInt8(ascii: " ")).first.map { String(decoding: $0, as: UTF8.self) }
        }
        // The dynamic loader's name lies within the first page of every common linker's output.
        let text = head[..<count].split(separator: 0)
        return text.first { $0.starts(with: "/lib".utf8) && $0.count > 8 }.map { String(decoding: $0, as: UTF8.self) }
    }

    private static func withStrings(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Void
    ) {
        let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + strings.count).initialize(to: nil)
        defer {
            for index in strings.indices { free(pointers[index]) }
            pointers.deallocate()
        }
        body(pointers)
    }
}
