import CLinux
import Glibc
import Linux
import SystemPackage

/// `--init`: Apus stays as PID 1, passes signals on to the command and reaps what the command leaves behind.
enum ReapingInit {
    /// Forks: returns in the child, which goes on to be the command; the parent is init until that child ends.
    ///
    /// - Parameters:
    ///   - socket: The channel to the supervisor, which only the child keeps.
    ///   - sharesTerminal: Whether the command is in init's own process group, so that both get what a terminal sends.
    static func becomeInit(closing socket: FileDescriptor, sharingTerminal sharesTerminal: Bool = false) throws(Failure)
    {
        var all = sigset_t()
        sigfillset(&all)
        sigprocmask(SIG_BLOCK, &all, nil)
        let child = try step("fork", "init's child") { () throws(SystemCallError) in
            try check("fork") { apus_fork() }
        }
        if child == 0 { return }
        socket.closeQuietly()
        hideCaller()
        _ = apus_close_range(0, UInt32.max, 0)
        CurrentProcess.exitNow(serve(child, all, sharesTerminal))
    }

    /// The command line and the environment of `apus run` may hold secrets, and /proc/1 shows both to the container.
    private static func hideCaller() {
        apus_clear_environment()
        for index in 0..<Int(CommandLine.argc) {
            guard let argument = CommandLine.unsafeArgv[index] else { continue }
            memset(argument, 0, strlen(argument))
        }
        if let first = CommandLine.unsafeArgv[0] { memcpy(first, "init", 4) }
        _ = "apus-init".withCString { apus_prctl(PR_SET_NAME, UInt(bitPattern: $0), 0, 0, 0) }
    }

    /// - Returns: The child's exit status as a shell gives it.
    private static func serve(_ child: pid_t, _ signals: sigset_t, _ sharesTerminal: Bool) -> Int32 {
        var signals = signals
        while true {
            var info = siginfo_t()
            let signal = sigwaitinfo(&signals, &info)
            guard signal > 0 else { continue }  // interrupted by what nobody can block
            guard signal == SIGCHLD else {
                if !sharesTerminal || info.si_code <= 0 { kill(child, signal) }
                continue
            }
            while true {
                var status: CInt = 0
                let pid = waitpid(-1, &status, WNOHANG)
                if pid <= 0 { break }
                if pid == child { return ExitStatus(waitStatus: status).code }
            }
        }
    }
}
