import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

extension Namespaces {
    /// The namespaces of a Spec that are to be made, rather than joined by their path.
    init(newIn list: [Spec.Namespace]) {
        self = []
        for namespace in list where namespace.path == nil {
            formUnion(Namespaces(namespace.type))
        }
    }

    /// - Note: OCI runtime-spec, config-linux.md, "Namespaces".
    init(_ type: Spec.NamespaceType) {
        switch type {
        case .user: self = .user
        case .mount: self = .mount
        case .pid: self = .pid
        case .network: self = .network
        case .ipc: self = .ipc
        case .uts: self = .uts
        case .cgroup: self = .cgroup
        case .time: self = .time
        }
    }
}

/// Namespaces of others that a container shares, held open by descriptor.
struct JoinedNamespaces: Sendable {
    private struct File {
        let kind: Namespaces
        let file: FileDescriptor
        let path: String

        /// Whether a process must be in it before init can be cloned.
        var precedesClone: Bool { kind == .pid || kind == .user || kind == .time }
    }

    /// The user namespace first: the right to join the others comes with it.
    private var files: [File] = []

    /// Opens the namespaces that `list` names by path.
    init(_ list: [Spec.Namespace]) throws(Failure) {
        for namespace in list {
            guard let path = namespace.path else { continue }
            let file = try step("join namespace", path) { () throws(SystemCallError) in
                try FileDescriptor.workingDirectory.open(path)
            }
            let opened = File(kind: Namespaces(namespace.type), file: file, path: path)
            files.insert(opened, at: opened.kind == .user ? 0 : files.count)
        }
    }

    /// Whether a process must be in some of them before init can be cloned: a PID namespace holds only children, and
    /// namespaces made by init must belong to the user namespace that it shares.
    var mustPrecedeClone: Bool {
        files.contains { $0.precedesClone }
    }

    /// Whether the mount namespace is one that others live in.
    var includesMounts: Bool { files.contains { $0.kind == .mount } }

    /// Joins those that init joins by itself.
    func joinRemaining() throws(Failure) {
        for file in files where !file.precedesClone { try join(file) }
    }

    func close() {
        for entry in files { entry.file.closeQuietly() }
    }

    /// Clones init from a process between, which joins what must come first and hands init to the caller as its child.
    ///
    /// - Note: clone(2), `CLONE_PARENT`.
    func clone(
        into namespaces: Namespaces, cgroup: FileDescriptor?, _ initProcess: () -> Never
    ) throws(Failure) -> ProcessHandle {
        let (read, write) = try step("clone", "pipe") { () throws(SystemCallError) in try FileDescriptor.makePipe() }
        defer { read.closeQuietly() }
        let between = try step("clone", "process between") { () throws(SystemCallError) in try Clone.clone() }
        guard let between else { makeSibling(namespaces, cgroup, report: write, initProcess) }
        write.closeQuietly()
        defer { between.pidfd.closeQuietly() }
        let report = try step("clone", "process between") { () throws(SystemCallError) in
            let bytes = try read.readAll(limit: 4096)
            _ = try between.reap()
            return String(decoding: bytes, as: UTF8.self)
        }
        guard let pid = pid_t(report) else { throw Failure("", "", report) }
        let handle = try step("clone", "init") { () throws(SystemCallError) in try ProcessHandle.open(pid) }
        guard let handle else { throw Failure("start container", "its init", "ended at once") }
        return handle
    }

    private func makeSibling(
        _ namespaces: Namespaces, _ cgroup: FileDescriptor?, report: FileDescriptor, _ initProcess: () -> Never
    ) -> Never {
        do throws(Failure) {
            for file in files where file.precedesClone { try join(file) }
            let pid = try step("clone", "into namespaces") { () throws(SystemCallError) in
                try Clone.cloneSibling(into: namespaces, cgroup: cgroup)
            }
            guard let pid else {
                report.closeQuietly()  // init may wait for long, and the reader reads to the end
                initProcess()
            }
            try? report.writeFully("\(pid)".utf8)  // `try?`: the reader sees a missing number as the failure
        } catch {
            try? report.writeFully("\(error)".utf8)  // `try?`: as above
        }
        CurrentProcess.exitNow(0)
    }

    private func join(_ file: File) throws(Failure) {
        try step("join namespace", file.path) { () throws(SystemCallError) in
            try CurrentProcess.join(file.kind, file: file.file, named: file.path)
        }
    }
}
