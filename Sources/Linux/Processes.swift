import CLinux
import Glibc
public import SystemPackage

/// The kinds of namespace, by the flags of clone(2).
public struct Namespaces: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let user = Self(rawValue: UInt64(CLONE_NEWUSER))
    public static let mount = Self(rawValue: UInt64(CLONE_NEWNS))
    public static let pid = Self(rawValue: UInt64(CLONE_NEWPID))
    public static let network = Self(rawValue: UInt64(CLONE_NEWNET))
    public static let ipc = Self(rawValue: UInt64(CLONE_NEWIPC))
    public static let uts = Self(rawValue: UInt64(CLONE_NEWUTS))
    public static let cgroup = Self(rawValue: UInt64(CLONE_NEWCGROUP))
    public static let time = Self(rawValue: UInt64(CLONE_NEWTIME))
}

/// How a process ended.
public enum ExitStatus: Sendable, Hashable {
    case exited(code: Int32)
    case signaled(Int32, coreDumped: Bool)

    /// From the status that waitpid(2) gives.
    public init(waitStatus: CInt) {
        self =
            apus_wifsignaled(waitStatus) != 0
            ? .signaled(apus_wtermsig(waitStatus), coreDumped: apus_wcoredump(waitStatus) != 0)
            : .exited(code: apus_wexitstatus(waitStatus))
    }

    /// The status a shell would give it: its own code, or 128 and the signal's number.
    public var code: Int32 {
        switch self {
        case .exited(let code): code
        case .signaled(let signal, _): 128 + signal
        }
    }
}

/// A process held by a descriptor, so that no other can take its place.
public struct ProcessHandle: Sendable {
    public let pid: pid_t
    /// Close-on-exec; closed by whoever keeps the handle.
    public let pidfd: FileDescriptor

    public init(pid: pid_t, pidfd: FileDescriptor) {
        self.pid = pid
        self.pidfd = pidfd
    }

    /// Takes hold of a running process, if it is still the one that started at `startTime`.
    ///
    /// - Parameter startTime: In clock ticks since boot, as /proc/PID/stat has it; `nil` takes any.
    /// - Returns: `nil` when it is gone, or when another process has its number now.
    /// - Note: pidfd_open(2); Linux 5.3.
    public static func open(_ pid: pid_t, startTime: UInt64? = nil) throws(SystemCallError) -> ProcessHandle? {
        let raw: CInt
        do {
            raw = try check("pidfd_open", "\(pid)") { apus_pidfd_open(pid, 0) }
        } catch  where error.errno == .noSuchProcess || error.errno == .invalidArgument {
            return nil
        }
        let handle = ProcessHandle(pid: pid, pidfd: FileDescriptor(rawValue: raw))
        // Read after the descriptor is held: from here on the number cannot be given to another.
        guard let startTime else { return handle }
        guard ProcessStatus(pid)?.startTime == startTime else {
            handle.pidfd.closeQuietly()
            return nil
        }
        return handle
    }

    /// Sends a signal.
    ///
    /// - Returns: Whether the process was still there to get it.
    @discardableResult
    public func send(_ signal: CInt) throws(SystemCallError) -> Bool {
        do {
            try check("pidfd_send_signal", "\(signal) to \(pid)") {
                apus_pidfd_send_signal(pidfd.rawValue, signal)
            }
            return true
        } catch  where error.errno == .noSuchProcess {
            return false
        }
    }

    /// Whether `signal` would do nothing to it: as init of a PID namespace it only gets what it handles, or waits for.
    ///
    /// - Returns: False, too, where /proc does not tell.
    /// - Note: pid_namespaces(7), "The namespace init process"; proc_pid_status(5), `SigCgt` and `SigBlk`.
    public func ignoresAsInit(_ signal: CInt) -> Bool {
        // A process that is gone, or hidden, is asked by the signal itself.
        guard signal != SIGKILL, signal != SIGSTOP,
            let bytes = FileDescriptor.contentsIfReadable(of: "/proc/\(pid)/status", limit: 1 << 16)
        else { return false }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        func mask(_ name: String) -> UInt64? {
            lines.first { $0.hasPrefix(name) }.flatMap {
                UInt64($0.dropFirst(name.count).drop { $0 == "\t" }, radix: 16)
            }
        }
        guard let caught = mask("SigCgt:"), let blocked = mask("SigBlk:"),
            let levels = lines.first(where: { $0.hasPrefix("NSpid:") })?.split(separator: "\t")
        else { return false }
        return levels.count > 2 && levels.last == "1" && (caught | blocked) & (1 << UInt64(signal - 1)) == 0
            && !waitsForSignals
    }

    /// Whether one of its threads is in sigwait(3), as an init that passes signals on is: meanwhile /proc shows the signals
    /// that it waits for as neither caught nor blocked.
    private var waitsForSignals: Bool {
        do throws(SystemCallError) {
            let threads = try FileDescriptor.workingDirectory.open("/proc/\(pid)/task", O_RDONLY | O_DIRECTORY)
            defer { threads.closeQuietly() }
            for thread in try threads.entries() {
                let call = String(decoding: try threads.contents(of: "\(thread)/syscall", limit: 4096), as: UTF8.self)
                if call.hasPrefix("\(SYS_rt_sigtimedwait) ") { return true }
            }
            return false
        } catch {
            return true  // it cannot be told: the signal and its timeout will
        }
    }

    /// Reaps this child.
    ///
    /// - Parameter wait: Whether to wait for its end; without, `nil` means that it still runs.
    public func reap(wait: Bool = true) throws(SystemCallError) -> ExitStatus? {
        var status: CInt = 0
        let reaped = try check("waitpid", "\(pid)") { waitpid(pid, &status, wait ? 0 : WNOHANG) }
        return reaped == 0 ? nil : ExitStatus(waitStatus: status)
    }

    /// Whether it has ended (a zombie has).
    public func hasEnded() -> Bool {
        var entry = pollfd(fd: pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }
}

/// One line of /proc/PID/stat.
///
/// - Note: proc_pid_stat(5).
public struct ProcessStatus: Sendable {
    public let command: String
    /// `R`, `S`, `D`, `Z`, `T`…
    public let state: Character
    public let parent: pid_t
    /// In clock ticks.
    public let userTime: UInt64
    /// In clock ticks.
    public let systemTime: UInt64
    /// In clock ticks since boot.
    public let startTime: UInt64
    /// The controlling terminal's device number, 0 for none.
    public let terminal: Int32

    /// - Returns: `nil` when there is no such process.
    public init?(_ pid: pid_t) {
        // A process that is gone has no file; that is the answer.
        guard let bytes = FileDescriptor.contentsIfReadable(of: "/proc/\(pid)/stat", limit: 4096) else { return nil }
        // The command is in parentheses and may hold any byte: what follows the last one is fixed.
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")),
            open < close
        else { return nil }
        let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " ")).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard fields.count > 19, let parent = pid_t(fields[1]), let terminal = Int32(fields[4]),
            let user = UInt64(fields[11]), let system = UInt64(fields[12]), let start = UInt64(fields[19])
        else { return nil }
        self.command = String(decoding: bytes[(open + 1)..<close], as: UTF8.self)
        self.state = fields[0].first ?? "?"
        self.parent = parent
        self.userTime = user
        self.systemTime = system
        self.startTime = start
        self.terminal = terminal
    }
}

/// A new process, made so that its maker holds a descriptor of it from the first instant.
public enum Clone {
    /// Duplicates this process, which must have one thread, into new namespaces.
    ///
    /// - Parameters:
    ///   - cgroup: A cgroup v2 directory to start in (Linux 5.7).
    /// - Returns: The child's handle in the parent; `nil` in the child.
    /// - Note: clone3(2), `CLONE_PIDFD`, `CLONE_INTO_CGROUP`.
    public static func clone(
        into namespaces: Namespaces = [], cgroup: FileDescriptor? = nil
    ) throws(SystemCallError) -> ProcessHandle? {
        var pidfd: CInt = -1
        var arguments = clone_args()
        arguments.flags = namespaces.rawValue | UInt64(CLONE_PIDFD)
        arguments.exit_signal = UInt64(SIGCHLD)
        if let cgroup {
            arguments.flags |= UInt64(CLONE_INTO_CGROUP)
            arguments.cgroup = UInt64(cgroup.rawValue)
        }
        let pid = try check("clone3") {
            withUnsafeMutablePointer(to: &pidfd) {
                arguments.pidfd = UInt64(UInt(bitPattern: $0))
                return CInt(apus_clone3(&arguments))
            }
        }
        return pid == 0 ? nil : ProcessHandle(pid: pid, pidfd: FileDescriptor(rawValue: pidfd))
    }
}

extension Clone {
    /// Starts `body` in new namespaces in a process that shares this one's memory, and waits until it executes another
    /// program or ends: nothing is copied, neither page tables nor pages that either side writes to.
    ///
    /// This process must have one thread. What `body` changes in memory stays changed here.
    ///
    /// - Parameter cgroup: A cgroup v2 directory to start in (Linux 5.7).
    /// - Note: clone3(2), `CLONE_VM` and `CLONE_VFORK`; vfork(2).
    public static func cloneSharingMemory(
        into namespaces: Namespaces, cgroup: FileDescriptor?, _ body: @escaping () -> Never
    ) throws(SystemCallError) -> ProcessHandle {
        let stackSize = 1 << 20
        let stack = mmap(
            nil, stackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | CInt(MAP_NORESERVE) | CInt(MAP_STACK),
            -1, 0)
        guard let stack, stack != MAP_FAILED else {
            throw SystemCallError("mmap", "stack", Errno(rawValue: Glibc.errno))
        }
        defer { munmap(stack, stackSize) }
        var pidfd: CInt = -1
        var arguments = clone_args()
        arguments.flags = namespaces.rawValue | UInt64(CLONE_PIDFD | CLONE_VM | CLONE_VFORK)
        arguments.exit_signal = UInt64(SIGCHLD)
        arguments.stack = UInt64(UInt(bitPattern: stack))
        arguments.stack_size = UInt64(stackSize)
        if let cgroup {
            arguments.flags |= UInt64(CLONE_INTO_CGROUP)
            arguments.cgroup = UInt64(cgroup.rawValue)
        }
        let entry = Unmanaged.passRetained(Entry(body))
        defer { entry.release() }
        let pid = withUnsafeMutablePointer(to: &pidfd) {
            arguments.pidfd = UInt64(UInt(bitPattern: $0))
            return CInt(apus_clone3_on_stack(&arguments, Entry.run, entry.toOpaque()))
        }
        if pid >= 0 { return ProcessHandle(pid: pid, pidfd: FileDescriptor(rawValue: pidfd)) }
        let error = SystemCallError("clone3", "", Errno(rawValue: Glibc.errno))
        guard error.errno == .noFunction else { throw error }
        // A filter around this allows clone(2) at most, which is then to do with memory of its own.
        guard let process = try clone(into: namespaces, cgroup: cgroup) else { body() }
        return process
    }

    /// What the new process runs, in a form that C can carry.
    private final class Entry {
        let body: () -> Never

        init(_ body: @escaping () -> Never) { self.body = body }

        static let run: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
            Unmanaged<Entry>.fromOpaque(context!).takeUnretainedValue().body()
        }
    }

    /// Duplicates this process into namespaces as another child of its parent.
    ///
    /// - Returns: The new process' number in the parent's PID namespace; `nil` in the new process.
    /// - Note: clone(2), `CLONE_PARENT`.
    public static func cloneSibling(
        into namespaces: Namespaces, cgroup: FileDescriptor?
    ) throws(SystemCallError) -> pid_t? {
        var arguments = clone_args()
        arguments.flags = namespaces.rawValue | UInt64(CLONE_PARENT)
        if let cgroup {
            arguments.flags |= UInt64(CLONE_INTO_CGROUP)
            arguments.cgroup = UInt64(cgroup.rawValue)
        }
        let pid = try check("clone3") { CInt(apus_clone3(&arguments)) }
        return pid == 0 ? nil : pid
    }
}

/// Things a process asks of the kernel about itself.
public enum CurrentProcess {
    /// Joins the namespaces of the process that `pidfd` stands for, in one call.
    ///
    /// - Note: setns(2) with a pidfd; Linux 5.8.
    public static func join(_ namespaces: Namespaces, of pidfd: FileDescriptor) throws(SystemCallError) {
        try check("setns") { apus_setns(pidfd.rawValue, CInt(truncatingIfNeeded: namespaces.rawValue)) }
    }

    /// Joins the namespace that `file` (an open /proc/PID/ns/… file) stands for.
    public static func join(_ kind: Namespaces, file: FileDescriptor, named name: String) throws(SystemCallError) {
        try check("setns", "'\(name)'") { apus_setns(file.rawValue, CInt(truncatingIfNeeded: kind.rawValue)) }
    }

    /// Leaves namespaces behind for new ones.
    public static func unshare(_ namespaces: Namespaces) throws(SystemCallError) {
        try check("unshare") { apus_unshare(CInt(truncatingIfNeeded: namespaces.rawValue)) }
    }

    /// Asks for `signal` when the parent ends. A change of user clears it: call this after that.
    ///
    /// - Note: prctl(2), `PR_SET_PDEATHSIG`.
    public static func dieWithParent(_ signal: CInt = SIGKILL) throws(SystemCallError) {
        try check("prctl", "PR_SET_PDEATHSIG") { apus_prctl(PR_SET_PDEATHSIG, UInt(signal), 0, 0, 0) }
    }

    /// Keeps others of the same user from tracing this process or reading its memory and /proc files.
    public static func setDumpable(_ dumpable: Bool) throws(SystemCallError) {
        try check("prctl", "PR_SET_DUMPABLE") { apus_prctl(PR_SET_DUMPABLE, dumpable ? 1 : 0, 0, 0, 0) }
    }

    /// Ends this process at once, without running anything on the way out.
    public static func exitNow(_ code: Int32) -> Never {
        _exit(code)
    }
}

/// This boot of this machine.
public enum Boot {
    /// The kernel's random name for this boot, from /proc/sys/kernel/random/boot_id; empty where /proc hides it.
    public static let id: String = {
        // Inside a container /proc/sys may be hidden; all records then agree on the empty name.
        let bytes = FileDescriptor.contentsIfReadable(of: "/proc/sys/kernel/random/boot_id", limit: 64)
        return String(decoding: bytes ?? [], as: UTF8.self).filter { $0 != "\n" }
    }()
}
