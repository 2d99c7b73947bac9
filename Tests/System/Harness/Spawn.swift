import CLinux
import Glibc
import Linux
import SystemPackage

/// What a process is started with.
struct Start {
    /// The executable first, by its path.
    var words: [String]
    var environment: [String: String] = [:]
    var directory = "/"
    /// What it gets as standard input, output and error; `nil` for /dev/null.
    var streams: [FileDescriptor?] = [nil, nil, nil]
    /// A terminal's path, to be the controlling one and all three streams.
    var terminal: String?

    /// Starts the process as leader of a session of its own, with all signals at their defaults.
    ///
    /// - Note: posix_spawn, because tests run on many threads, and fork would leave the child with their locks.
    func spawn() throws -> ProcessHandle {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addchdir_np(&actions, directory)
        for number in 0..<3 as Range<CInt> {
            if let terminal {
                posix_spawn_file_actions_addopen(&actions, number, terminal, O_RDWR, 0)
            } else if let stream = streams[Int(number)] {
                posix_spawn_file_actions_adddup2(&actions, stream.rawValue, number)
            } else {
                posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
            }
        }
        var attributes = try Self.attributes()
        defer { posix_spawnattr_destroy(&attributes) }
        let pid = try withCStrings(words) { arguments in
            try withCStrings(environment.map { "\($0)=\($1)" }) { variables in
                var pid: pid_t = 0
                let result = posix_spawn(&pid, words[0], &actions, &attributes, arguments, variables)
                guard result == 0 else { throw SystemCallError("posix_spawn", words[0], Errno(rawValue: result)) }
                return pid
            }
        }
        return ProcessHandle(
            pid: pid, pidfd: FileDescriptor(rawValue: try check("pidfd_open") { apus_pidfd_open(pid, 0) }))
    }

    private static func attributes() throws -> posix_spawnattr_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let flags = POSIX_SPAWN_SETSID | CInt(POSIX_SPAWN_SETSIGMASK) | CInt(POSIX_SPAWN_SETSIGDEF)
        posix_spawnattr_setflags(&attributes, Int16(flags))
        return attributes
    }
}

/// Calls `body` with a C array of C strings that is valid until it returns.
private func withCStrings<R>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) throws -> R
) throws -> R {
    var pointers = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return try pointers.withUnsafeMutableBufferPointer { try body($0.baseAddress!) }
}
