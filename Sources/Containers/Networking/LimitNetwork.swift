import CLinux
import Glibc
import Linux
import Networks
import OCI
import SystemPackage

/// The network of a command on this machine that may send to some destinations only: a namespace with pasta.
final class LimitNetwork: @unchecked Sendable {  // its process has one thread
    private let egress: Egress
    private var pasta: Pasta?
    private var place: NetworkPlace?
    /// What the command sees as /etc/hosts, until it has been mounted.
    private var hosts: String?

    /// - Throws: For a name without an address, and where pasta cannot be had.
    init(_ rules: [EgressRule]) throws(Failure) {
        if let obstacle = Pasta.obstacle() { throw obstacle.naming("--egress") }
        egress = try Egress(rules)
    }

    deinit { end() }

    /// Shows the command the addresses of the names that it may reach, which needs no name server then.
    func pinNames(in spec: inout Spec) throws(Failure) {
        guard !egress.names.isEmpty else { return }
        let text = String(
            decoding: FileDescriptor.contentsIfReadable(of: "/etc/hosts", limit: 1 << 20) ?? [], as: UTF8.self)
        let names = egress.names.map { "\($0.address.text)\t\($0.name)\n" }.joined()
        var path = Array("/tmp/apus-hosts.XXXXXX\0".utf8CString.dropLast())
        let raw = mkostemp(&path, O_CLOEXEC)
        guard raw >= 0 else {
            throw Failure("--egress", "/tmp", SystemCallError("mkostemp", "", Errno(rawValue: errno)))
        }
        let file = FileDescriptor(rawValue: raw)
        defer { file.closeQuietly() }
        let name = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        hosts = name
        do throws(SystemCallError) {
            // First of all: a name that the machine has otherwise is pinned too.
            try file.writeFully((names + text).utf8)
            try check("fchmod", "'\(name)'") { fchmod(raw, 0o644) }
        } catch {
            throw Failure("--egress", name, error)
        }
        spec.mounts =
            (spec.mounts ?? []) + [Spec.Mount(destination: "/etc/hosts", type: "bind", source: name, options: ["bind"])]
    }

    /// Connects the command's network namespace, before it runs.
    func connect(_ pid: pid_t) throws(Failure) {
        let place = try NetworkPlace(of: pid)
        self.place = place
        pasta = try Pasta.start(for: pid, ports: [])
        try egress.enforce(in: place)
    }

    /// Whose process is none of the command's.
    var helper: pid_t? { pasta?.pid }

    /// Removes what was needed for the start alone.
    func started() {
        if let hosts { unlink(hosts) }
        hosts = nil
    }

    /// How many packets were refused so far.
    func refused() throws(Failure) -> UInt64 {
        guard let place else { return 0 }
        return try Egress.refused(in: place)
    }

    /// Ends pasta.
    func end() {
        started()
        pasta?.stop()
        pasta = nil
        place?.close()
        place = nil
    }
}
