import CLinux
import Glibc
import Linux
import Sandbox
import SystemPackage

/// One run of CRIU as a child of this process, which asks it over a socket as runc does: `criu swrk 3`.
///
/// - Note: criu.org, "RPC"; criu(8).
struct CriuService {
    /// Where CRIU is.
    let path: String

    /// What is given to it.
    struct Surroundings {
        /// What it finds open as 4, 5, …: as paths from its own root, opened after `prepare`.
        var directories: [String] = []
        /// What it finds behind them.
        var descriptors: [FileDescriptor] = []
        var cgroup = CgroupPlacement()
        /// Whether what it says beside its log is dropped: where there is none, and after a pre-dump, that nobody asks it
        /// for more.
        var isQuiet = false
        /// What it does in the new process, before it executes.
        var prepare: () throws(SystemCallError) -> Void = {}
    }

    /// The first descriptor behind the streams and the socket.
    static let firstDescriptor = 4

    /// More than the longest of its messages.
    private static let messageLimit = 1 << 16

    /// - Parameter name: A path, or a name to look for; `nil` for the usual one.
    init(_ name: String?) throws(Failure) {
        let name = name ?? "criu"
        let found = name.utf8.contains(UInt8(ascii: "/")) ? (access(name, X_OK) == 0 ? name : nil) : Helper.find(name)
        guard let found else {
            throw Failure("run", name, "not found on this machine", remedy: "install criu, or name it by --criu")
        }
        path = found
    }

    /// Has it do one thing.
    ///
    /// - Parameters:
    ///   - started: Gets its PID when it runs, and gives the request.
    ///   - notify: Told of each point that it comes to, with a descriptor that came along, which it then owns.
    /// - Returns: Its last word.
    /// - Throws: What `notify` threw, after CRIU has undone what it had done.
    func call(
        _ surroundings: Surroundings, started: (pid_t) throws(Failure) -> [UInt8],
        notify: (_ name: String, _ pid: pid_t?, FileDescriptor?) throws -> Void
    ) throws -> CriuAnswer {
        let (process, socket) = try start(surroundings)
        defer {
            socket.closeQuietly()  // which ends it, unless it has ended
            _ = try? process.reap()  // `try?`: it is this process' child, and nobody else's to reap
            process.pidfd.closeQuietly()
        }
        try send(started(process.pid), over: socket)
        var failure: (any Error)?
        while true {
            let (answer, descriptor) = try receive(from: socket)
            guard let notice = answer.notification else {
                if let failure { throw failure }
                return answer
            }
            do {
                try notify(notice.name, notice.pid, descriptor)
            } catch {
                failure = failure ?? error
            }
            try send(CriuMessages.acknowledgement(failure == nil), over: socket)
        }
    }

    /// Whether the kernel can do that, as CRIU finds.
    func has(_ feature: CriuFeature) throws -> Bool {
        let answer = try call(Surroundings(isQuiet: true)) { _ throws(Failure) in
            CriuMessages.question(feature)
        } notify: { _, _, _ in
        }
        guard answer.isSuccess else {
            throw Failure("ask", path, "it does not get along with this kernel", remedy: "see criu check")
        }
        return answer.has(feature)
    }

    private func send(_ message: [UInt8], over socket: FileDescriptor) throws(Failure) {
        _ = try step("ask", path) { () throws(SystemCallError) in
            try check("sendmsg") { DescriptorPassing.send(message, descriptor: nil, over: socket) }
        }
    }

    private func receive(from socket: FileDescriptor) throws(Failure) -> (CriuAnswer, FileDescriptor?) {
        var bytes = [UInt8](repeating: 0, count: Self.messageLimit)
        var descriptor: CInt = -1
        let count = try step("ask", path) { () throws(SystemCallError) in
            try check("recvmsg") {
                CInt(clamping: DescriptorPassing.receive(&bytes, descriptor: &descriptor, from: socket))
            }
        }
        guard count > 0 else { throw Failure("ask", path, "it ended without an answer") }
        guard let answer = CriuAnswer(bytes[..<Int(count)]) else {
            throw Failure("ask", path, "its answer is none", remedy: "is this CRIU?")
        }
        return (answer, descriptor >= 0 ? FileDescriptor(rawValue: descriptor) : nil)
    }

    // MARK: Its process

    private static func makeSocketPair() throws(SystemCallError) -> (ours: FileDescriptor, theirs: FileDescriptor) {
        var ends: [CInt] = [0, 0]
        let type = CInt(SOCK_SEQPACKET.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        try check("socketpair") { socketpair(AF_UNIX, type, 0, &ends) }
        return (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
    }

    /// Starts it; when this returns, it has executed.
    private func start(_ surroundings: Surroundings) throws(Failure) -> (ProcessHandle, FileDescriptor) {
        let (report, theirs) = try step("run", path) { () throws(SystemCallError) in try Self.makeSocketPair() }
        defer { report.closeQuietly() }
        let child: ProcessHandle?
        do throws(SystemCallError) {
            child = try Clone.clone(cgroup: surroundings.cgroup.target)
        } catch {
            theirs.closeQuietly()
            throw Failure("run", path, error)
        }
        guard let child else { execute(surroundings, report: theirs) }
        theirs.closeQuietly()
        // The socket comes first. Then it executes, which closes this one, or the reason comes why it could not.
        var socket: FileDescriptor?
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            var descriptor: CInt = -1
            let count = DescriptorPassing.receive(&bytes, descriptor: &descriptor, from: report)
            if descriptor >= 0 {
                socket = FileDescriptor(rawValue: descriptor)
                continue
            }
            if count == 0, let socket { return (child, socket) }
            if count < 0, errno == EINTR { continue }
            socket?.closeQuietly()
            _ = try? child.reap()  // `try?`: as in `call`
            child.pidfd.closeQuietly()
            let reason = count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : "it ended at once"
            throw Failure("run", path, reason)
        }
    }

    /// CRIU looks for the directories in the process that has made the socket: that is itself, since they have to be in
    /// its own mount namespace.
    private func execute(_ surroundings: Surroundings, report: FileDescriptor) -> Never {
        do throws(SystemCallError) {
            try CurrentProcess.dieWithParent()
            for file in surroundings.cgroup.joinFiles { try file.writeFully("0".utf8) }
            try surroundings.prepare()
            let (ours, socket) = try Self.makeSocketPair()
            try check("sendmsg") { DescriptorPassing.send([0], descriptor: ours, over: report) }
            try SignalSet.resetForExec()
            if surroundings.isQuiet {
                let null = try FileDescriptor.workingDirectory.open("/dev/null", O_WRONLY)
                try check("dup2") { dup2(null.rawValue, STDERR_FILENO) }
            }
            var wanted = [socket]
            for path in surroundings.directories {
                wanted.append(try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY))
            }
            wanted += surroundings.descriptors
            // First out of the way of each other's numbers.
            var held: [CInt] = []
            for file in wanted {
                held.append(try check("fcntl", "F_DUPFD") { apus_fcntl_int(file.rawValue, F_DUPFD_CLOEXEC, 256) })
            }
            let last = try check("fcntl", "F_DUPFD") { apus_fcntl_int(report.rawValue, F_DUPFD_CLOEXEC, 256) }
            for (index, file) in held.enumerated() { try check("dup2") { dup2(file, 3 + CInt(index)) } }
            try check("close_range") { apus_close_range(3 + UInt32(wanted.count), UInt32.max, CLOSE_RANGE_CLOEXEC) }
            let words = [path, "swrk", "3"]
            var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
            execv(path, &arguments)
            let text = Errno(rawValue: errno).reason
            try FileDescriptor(rawValue: last).writeFully(text.utf8)
        } catch {
            try? report.writeFully("\(error)".utf8)  // `try?`: the missing answer tells of it
        }
        CurrentProcess.exitNow(127)
    }
}
