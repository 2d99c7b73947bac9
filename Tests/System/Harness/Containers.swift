import FoundationEssentials
import Glibc
import Linux
import SystemPackage
import Testing

extension Caller {
    /// The user who runs the tests, for what does not depend on who calls.
    static let own = available[0]
    /// Those for whom nothing here can limit resources.
    static let withoutLimits = available.filter { !withLimits.contains($0) }
}

extension Outcome: Equatable {
    /// Success with this on standard output and nothing else.
    static func printed(_ text: String) -> Self { Self(status: 0, output: text, errors: "") }

    static func == (one: Self, other: Self) -> Bool {
        one.status == other.status && one.output == other.output && one.errors == other.errors
    }

    /// Whether its errors are one line of Apus' with `text` in it.
    func isOneLineNaming(_ text: String) -> Bool {
        errors.hasPrefix("apus: ") && errors.hasSuffix("\n") && errors.dropLast().firstIndex(of: "\n") == nil
            && errors.contains(text)
    }
}

/// Scripts for a container's shell.
enum Script {
    /// Says `ready`, and exits with `code` when it gets the signal.
    static func onSignal(_ name: String, exit code: Int) -> String {
        "trap 'exit \(code)' \(name); echo ready; while :; do sleep 0.05; done"
    }

    /// Takes memory until the kernel has had enough.
    static let eatMemory = "exec tail /dev/zero"
}

/// Calls that tests of a container's life make again and again.
extension Apus {
    /// A busybox root that belongs to the caller: below one of somebody else, an ordinary user can change little.
    var root: String { caller == .ordinary ? OwnRoot.ordinary : Machine.busybox }

    /// The words of `run` with a busybox root.
    func runWords(_ flags: [String], _ command: [String]) -> [String] {
        ["run"] + flags + ["--rootfs", "\(root):O", "--"] + command
    }

    /// `apus run FLAGS --rootfs BUSYBOX:O -- COMMAND`.
    func runContainer(_ flags: [String], _ command: [String]) throws -> Outcome { try self(runWords(flags, command)) }

    /// `apus create`.
    ///
    /// - Returns: The container's ID.
    @discardableResult
    func create(_ name: String, _ flags: [String] = [], command: [String]) throws -> String {
        try succeed(["create", "--name", name] + flags + ["--rootfs", "\(root):O", "--"] + command)
    }

    /// `apus run -d`.
    ///
    /// - Returns: The container's ID.
    @discardableResult
    func detached(_ name: String, _ flags: [String] = [], command: [String] = ["sleep", "1000"]) throws -> String {
        try succeed(runWords(["-d", "--name", name] + flags, command))
    }

    /// Calls `apus`, which must succeed.
    ///
    /// - Returns: What it printed.
    @discardableResult
    func succeed(_ words: [String]) throws -> String {
        let outcome = try self(words)
        try #require(outcome.status == 0, "\(words): \(outcome)")
        return outcome.text
    }

    @discardableResult
    func succeed(_ words: String...) throws -> String { try succeed(words) }

    /// `apus inspect --format FORMAT CONTAINER`.
    func inspect(_ container: String, _ format: String) throws -> String {
        try succeed("inspect", "--format", format, container)
    }

    /// The container's status, in `inspect`'s words.
    func state(_ container: String) throws -> String { try inspect(container, "{{.State.Status}}") }

    /// The PID of the container's init here.
    func pid(_ container: String) throws -> pid_t {
        try #require(pid_t(try inspect(container, "{{.State.Pid}}")))
    }

    func begin(_ words: String...) throws -> RunningProcess { try start(words) }

    func begin(_ words: [String]) throws -> RunningProcess { try start(words) }

    func terminal(_ words: [String]) throws -> RunningProcess { try start(words, onTerminal: true) }

    func terminal(_ words: String...) throws -> RunningProcess { try terminal(words) }

    /// Waits until a container has written `text` to its log.
    func waitForLog(_ container: String, _ text: String) throws {
        let following = try start(["logs", "-f", container])
        try following.waitForOutput(text)
    }

    /// Flags for a limit, for those who can have one.
    var limitFlags: [String] { Caller.withLimits.contains(caller) ? ["--memory", "64m"] : [] }
}

extension RunningProcess {
    /// Makes the terminal's window another size, as a user's window system does.
    func resize(rows: UInt16, columns: UInt16) throws {
        try #require(terminal).setWindowSize(WindowSize(rows: rows, columns: columns))
    }

    /// How the terminal treats what is typed.
    func flags() throws -> TerminalFlags {
        var settings = termios()
        try check("tcgetattr") { tcgetattr(terminal!.rawValue, &settings) }
        return TerminalFlags(
            echo: settings.c_lflag & UInt32(ECHO) != 0, canonical: settings.c_lflag & UInt32(ICANON) != 0,
            signals: settings.c_lflag & UInt32(ISIG) != 0)
    }
}

/// What distinguishes a raw terminal from a usual one.
struct TerminalFlags: Equatable {
    var echo, canonical, signals: Bool

    static let usual = TerminalFlags(echo: true, canonical: true, signals: true)
    static let raw = TerminalFlags(echo: false, canonical: false, signals: false)
}

/// A busybox root that all tests of an ordinary caller share, and none changes.
private enum OwnRoot {
    static let ordinary: String = {
        guard Machine.isRoot else { return Machine.busybox }
        let account = Caller.ordinary.account
        let path = "\(Machine.busybox)-\(account.name)"
        do {
            try Machine.makeBusyboxRoot(path)
            let words = ["/bin/chown", "--recursive", "--no-dereference", "\(account.uid):\(account.gid)", path]
            let changed = try RunningProcess(words, environment: [:], directory: "/").wait()
            guard changed.status == 0 else { fatalError("\(changed)") }
        } catch {
            fatalError("\(error)")
        }
        return path
    }()
}
