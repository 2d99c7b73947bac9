import Glibc
import Linux
import OCI
import SystemPackage

/// What `exec` is asked for.
public struct ExecOptions: Sendable {
    public var id: String
    /// A file with the process as `config.json` would have it; without one it is the container's own, with the changes below.
    public var processFile: String?
    public var arguments: [String] = []
    public var terminal = false
    public var workingDirectory: String?
    /// `NAME=value`, behind those of the container's own process.
    public var environment: [String] = []
    /// `UID[:GID]`, or names that the container's own files have.
    public var user: String?
    public var additionalGroups: [UInt32] = []
    /// Beside those of the container's own process.
    public var capabilities: [String] = []
    public var apparmorProfile: String?
    public var selinuxLabel: String?
    public var noNewPrivileges: Bool?
    /// How many descriptors are passed on beside the standard streams, beginning with 3.
    public var preservedDescriptors = 0
    /// Where the PID is written to, as the runtime sees it.
    public var pidFile: String?
    /// A Unix socket that gets the terminal's master side.
    public var consoleSocket: String?
    /// A Unix socket that gets a descriptor of the command's process.
    public var pidfdSocket: String?
    /// Whether to return when the command runs.
    public var detaches = false
    /// Whether a paused container is entered all the same; the command goes on with it.
    public var ignoresPause = false
    /// Cgroups below the container's own: `PATH`, or on v1 `CONTROLLER[,CONTROLLER…]:PATH`.
    public var cgroups: [String] = []

    public init(id: String) { self.id = id }

    /// The process to run in a container of that Spec.
    func process(in spec: Spec) throws(Failure) -> Spec.Process {
        var process = if let processFile { try Self.read(processFile) } else { try changed(spec) }
        if let own = spec.process { Self.complete(&process, from: own) }
        guard process.args?.first.map({ !$0.isEmpty }) ?? false else {
            throw Failure("", "", "process args cannot be empty")
        }
        guard process.cwd.utf8.first == UInt8(ascii: "/") else {
            throw Failure("", process.cwd, "the working directory must be an absolute path")
        }
        return process
    }

    /// What a process file leaves out is as with the container's own command: its rights and its limits.
    private static func complete(_ process: inout Spec.Process, from own: Spec.Process) {
        process.capabilities = process.capabilities ?? own.capabilities
        process.rlimits = process.rlimits ?? own.rlimits
        process.noNewPrivileges = process.noNewPrivileges ?? own.noNewPrivileges
        process.apparmorProfile = process.apparmorProfile ?? own.apparmorProfile
        process.selinuxLabel = process.selinuxLabel ?? own.selinuxLabel
        process.oomScoreAdj = process.oomScoreAdj ?? own.oomScoreAdj
        process.scheduler = process.scheduler ?? own.scheduler
        process.ioPriority = process.ioPriority ?? own.ioPriority
        process.execCPUAffinity = process.execCPUAffinity ?? own.execCPUAffinity
    }

    private static func read(_ path: String) throws(Failure) -> Spec.Process {
        let bytes = try step("read", path) { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.contents(of: path, limit: 8 << 20)
        }
        do throws(SpecError) {
            var process = try Spec.Process(json: bytes)
            process.user.username = nil  // as in a config.json, where the numbers count
            return process
        } catch {
            throw Failure("read", path, "\(error)")
        }
    }

    private func changed(_ spec: Spec) throws(Failure) -> Spec.Process {
        var process = spec.process ?? Spec.Process()
        process.user.username = nil
        process.args = arguments
        process.terminal = terminal
        process.consoleSize = nil
        if let workingDirectory { process.cwd = workingDirectory }
        if let apparmorProfile { process.apparmorProfile = apparmorProfile }
        if let selinuxLabel { process.selinuxLabel = selinuxLabel }
        if let noNewPrivileges { process.noNewPrivileges = noNewPrivileges }
        if !environment.isEmpty { process.env = (process.env ?? []) + environment }
        if let user { try Self.change(&process.user, to: user) }
        if !additionalGroups.isEmpty {
            process.user.additionalGids = (process.user.additionalGids ?? []) + additionalGroups
        }
        if !capabilities.isEmpty { add(to: &process) }
        return process
    }

    private func add(to process: inout Spec.Process) {
        var sets = process.capabilities ?? Spec.Capabilities()
        sets.bounding = (sets.bounding ?? []) + capabilities
        sets.effective = (sets.effective ?? []) + capabilities
        sets.permitted = (sets.permitted ?? []) + capabilities
        process.capabilities = sets
    }

    /// Without a group the one stays that the container's own process has.
    private static func change(_ user: inout Spec.User, to text: String) throws(Failure) {
        guard !text.isEmpty else { throw Failure("", "--user", "must not be empty") }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let uid = UInt32(parts[0]), let gid = parts.count == 1 ? user.gid : UInt32(parts[1]) else {
            user.username = text
            return
        }
        user.username = nil
        user.uid = uid
        user.gid = gid
    }
}
