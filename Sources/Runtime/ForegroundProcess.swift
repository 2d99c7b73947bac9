import CLinux
import Glibc
import Linux
import SystemPackage

/// A child of this process that has its streams, or a terminal that is copied to them, and gets its signals.
struct ForegroundProcess {
    let process: ProcessHandle
    /// The master side of its terminal.
    let console: FileDescriptor?
    let signals: SignalDescriptor

    /// All signals but the faults of this very process.
    private static let handled = SignalSet.all.subtracting(
        [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP].map { Signal(rawValue: $0) })

    /// Before there is a command that somebody could want to end: a signal waits until it can be passed on.
    static func holdSignals() throws(Failure) -> SignalDescriptor {
        try step("prepare", "signals") { () throws(SystemCallError) in
            try handled.block()
            return try SignalDescriptor(handled)
        }
    }

    /// Serves it until it has ended.
    func wait() throws -> ExitStatus {
        var relay = try console.map { master throws(SystemCallError) in try TerminalRelay(master) }
        defer { relay?.finish() }
        var entries = [signals.descriptor, process.pidfd].map {
            pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0)
        }
        while true {
            relay?.prepare(&entries)
            if poll(&entries, nfds_t(entries.count), -1) < 0 { continue }  // EINTR: none of the signals is delivered
            if entries[0].revents != 0 { try takeSignals(relay) }
            relay?.serve(entries)
            if entries[1].revents != 0, let status = try process.reap() { return status }
        }
    }

    private func takeSignals(_ relay: TerminalRelay?) throws(SystemCallError) {
        while let arrival = try signals.next() {
            switch arrival.signal.rawValue {
            case SIGWINCH where relay != nil: relay?.takeWindowSize()
            case SIGCHLD, SIGPIPE, SIGURG, SIGTSTP, SIGTTIN, SIGTTOU: continue
            default: try process.send(arrival.signal.rawValue)
            }
        }
    }
}
