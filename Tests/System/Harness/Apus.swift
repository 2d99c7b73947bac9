import CLinux
import FoundationEssentials
import Glibc
import Linux
import SystemPackage
import Testing

/// Runs `body` with an Apus of its own, and then makes sure that nothing of it is left.
func withApus(_ caller: Caller, location: SourceLocation = #_sourceLocation, _ body: (Apus) throws -> Void) throws {
    let apus = try Apus(caller)
    defer { apus.close(location) }
    try body(apus)
}

/// The executable with a data directory of its own, called by one user.
final class Apus {
    let caller: Caller
    let account: Account
    /// Belongs to the caller; removed at the end.
    let directory: String
    /// `APUS_ROOT`.
    let data: String
    /// What every command gets; a test may change it.
    var environment: [String: String]
    /// Words that put what follows them into another place of the machine: other namespaces.
    var place: [String] = []
    private let watch: DirectoryWatch

    init(_ caller: Caller) throws {
        self.caller = caller
        account = caller.account
        directory = makeTemporaryDirectory("apus-test")
        data = "\(directory)/data"
        // Others may pass: a container's users are others.
        for path in [directory, data, "\(data)/containers", "\(data)/names", "\(data)/alive"] {
            mkdir(path, 0o711)
            chmod(path, 0o711)
            chown(path, account.uid, account.gid)
        }
        environment = [
            "HOME": account.home, "USER": account.name, "LOGNAME": account.name, "SHELL": "/bin/sh", "APUS_ROOT": data,
            // Networks have tests of their own.
            "APUS_NETWORK": "none",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        for name in ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"] {
            if let value = getenv(name), account.uid == geteuid() { environment[name] = String(cString: value) }
        }
        // A container that lives briefly has no directory, but every one is locked while it runs.
        watch = try DirectoryWatch(["\(data)/alive"])
    }

    // MARK: Calling

    /// Starts `apus` with these words.
    func start(_ words: [String], onTerminal: Bool = false) throws -> RunningProcess {
        try startProgram([Machine.apus] + words, onTerminal: onTerminal)
    }

    /// Starts a script of the host's shell, in which `$APUS` is the executable.
    func startShell(_ script: String, onTerminal: Bool = false) throws -> RunningProcess {
        environment["APUS"] = Machine.apus
        return try startProgram(["/bin/sh", "-c", script], onTerminal: onTerminal)
    }

    /// Starts a program of the host as the caller, in `directory`.
    func startProgram(_ words: [String], onTerminal: Bool = false) throws -> RunningProcess {
        var words = words
        if account.uid != geteuid() {
            words =
                ["/usr/bin/setpriv", "--reuid", "\(account.uid)", "--regid", "\(account.gid)", "--init-groups"]
                + ["--inh-caps=-all", "--"] + words
        }
        return try RunningProcess(
            place + words, environment: environment, directory: directory, onTerminal: onTerminal)
    }

    /// Calls `apus` with these words and waits for its end.
    func callAsFunction(_ words: [String], input: String = "") throws -> Outcome {
        let process = try start(words)
        try feed(process, input)
        return try process.wait()
    }

    func callAsFunction(_ words: String..., input: String = "") throws -> Outcome { try self(words, input: input) }

    /// `apus run --rm FLAGS --rootfs ROOT COMMAND`.
    func run(
        _ flags: [String], root: String = Machine.busybox, _ command: String..., input: String = ""
    ) throws -> Outcome {
        try self(["run", "--rm"] + flags + ["--rootfs", root] + command, input: input)
    }

    func run(_ command: String..., input: String = "") throws -> Outcome {
        try self(["run", "--rm", "--rootfs", Machine.busybox] + command, input: input)
    }

    /// `apus run --rm FLAGS --rootfs ROOT sh -c SCRIPT`.
    func shell(
        _ flags: [String], root: String = Machine.busybox, _ script: String, input: String = ""
    ) throws -> Outcome {
        try run(flags, root: root, "sh", "-c", script, input: input)
    }

    func shell(_ script: String, input: String = "") throws -> Outcome { try run("sh", "-c", script, input: input) }

    /// `apus run -d FLAGS --rootfs ROOT COMMAND`.
    ///
    /// - Returns: The container's ID.
    func detached(_ flags: [String] = [], root: String = Machine.busybox, _ command: [String]) throws -> String {
        let outcome = try self(["run", "-d"] + flags + ["--rootfs", root] + command)
        try #require(outcome.status == 0, "\(outcome)")
        return outcome.text
    }

    private func feed(_ process: RunningProcess, _ input: String) throws {
        if !input.isEmpty { try process.write(input) }
        process.closeInput()
    }

    // MARK: Files

    /// Makes a file of the caller's in `directory`.
    ///
    /// - Returns: Its path.
    @discardableResult
    func file(_ name: String, _ content: String, mode: mode_t = 0o644) throws -> String {
        let path = "\(directory)/\(name)"
        // By another process, so that it can be executed at once: see `Machine.apus`.
        let writer = try RunningProcess(["/usr/bin/tee", path], environment: [:], directory: "/")
        try feed(writer, content)
        let written = try writer.wait()
        try #require(written.status == 0, "\(written)")
        chmod(path, mode)
        chown(path, account.uid, account.gid)
        return path
    }

    /// Makes a directory of the caller's in `directory`.
    ///
    /// - Returns: Its path.
    func makeDirectory(_ name: String, mode: mode_t = 0o755) throws -> String {
        let path = "\(directory)/\(name)"
        try check("mkdir", path) { mkdir(path, mode) }
        chmod(path, mode)
        chown(path, account.uid, account.gid)
        return path
    }

    /// Makes a busybox root that belongs to the caller.
    ///
    /// - Returns: Its path.
    func makeRoot(_ name: String = "root") throws -> String {
        let path = "\(directory)/\(name)"
        try Machine.makeBusyboxRoot(path)
        if account.uid != geteuid() {
            let words = ["/bin/chown", "--recursive", "--no-dereference", "\(account.uid):\(account.gid)", path]
            let changed = try RunningProcess(words, environment: [:], directory: "/").wait()
            try #require(changed.status == 0, "\(changed)")
        }
        return path
    }

    // MARK: Nothing left

    /// IDs of all containers that have been made so far.
    private(set) var ids: Set<String> = []

    /// What there is of containers, by kind; all empty when every container has been removed.
    ///
    /// - Parameter patience: How long processes may take to end, in seconds.
    func leftovers(patience: Int = 10) throws -> [String] {
        ids.formUnion(try watch.takeNames().filter { $0.utf8.count == 64 })
        var found: [String] = []
        for kind in ["containers", "names", "alive"] where access("\(data)/\(kind)", F_OK) == 0 {
            found += try FileManager.default.contentsOfDirectory(atPath: "\(data)/\(kind)").map { "\(kind)/\($0)" }
        }
        let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        found += mounts.split(separator: "\n").filter { $0.contains(data) }.map { "mount \($0)" }
        found += Leftovers.cgroups(of: ids).map { "cgroup \($0)" }
        return found + Leftovers.processes(withDataDirectory: data, patience: patience).map { "process \($0)" }
    }

    fileprivate func close(_ location: SourceLocation) {
        do {
            let containers = try FileManager.default.contentsOfDirectory(atPath: "\(data)/containers")
            if !containers.isEmpty {
                let removed = try self(["rm", "-f"] + containers)
                #expect(removed.status == 0, "\(removed)", sourceLocation: location)
            }
            #expect(try leftovers() == [], sourceLocation: location)
            try removeDirectory()
        } catch {
            Issue.record(error, "cannot clean up '\(directory)'", sourceLocation: location)
        }
    }

    private func removeDirectory() throws {
        // As root it is `rm`: files may belong to users that only root may stand in for.
        let removed = try RunningProcess(["/bin/rm", "-rf", directory], environment: [:], directory: "/").wait()
        guard removed.status != 0 else { return }
        throw Unmet(reason: "\(removed)")
    }
}
