import Glibc
import Linux
import OCI
import Runtime
import SystemPackage

/// What stands before the name of a runtime command.
struct RuntimeGlobals {
    var root: String?
    var systemdCgroup = false
    /// `nil` for `auto`.
    var rootless: Bool?
    var log = RuntimeLog()
    /// The name or path of CRIU.
    var criu: String?
    /// Whether help or the version is wanted, and no command.
    var wantsHelp = false
    var wantsVersion = false

    static let options: [RuntimeOption] = [
        .value("root"), .value("log"), .value("log-format"), .flag("debug"), .flag("systemd-cgroup"),
        .value("rootless"), .value("criu"), .flag("help", "h"), .flag("version", "v"),
    ]

    /// - Returns: With the name of the command and what follows it, both empty if there is none.
    static func parse(
        _ words: ArraySlice<String>
    ) throws(Failure) -> (globals: RuntimeGlobals, command: String, words: ArraySlice<String>) {
        let parsed = try RuntimeWords(words, options, argumentLimit: 1)
        var globals = RuntimeGlobals()
        globals.root = parsed.value("root")
        globals.systemdCgroup = try parsed.has("systemd-cgroup")
        globals.criu = parsed.value("criu")
        if let rootless = parsed.value("rootless"), rootless != "auto" {
            globals.rootless = try RuntimeWords.boolean(rootless, "rootless")
        }
        globals.wantsHelp = try parsed.has("help")
        globals.wantsVersion = try parsed.has("version")
        globals.log = try RuntimeLog(
            file: parsed.value("log"), format: parsed.value("log-format"), debug: parsed.has("debug"))
        return (globals, parsed.arguments.first ?? "", parsed.arguments.dropFirst())
    }

    /// The containers that `--root` names.
    func store() throws(Failure) -> RuntimeStore { try RuntimeStore(root: root) }
}

/// Where an engine wants to read what went wrong.
struct RuntimeLog {
    private enum Format { case text, json }

    private var file: String?
    private var format = Format.text
    private var debug = false
    /// The file, for a process that goes where its name leads to another.
    private var held: FileDescriptor?

    init() {}

    init(file: String?, format: String?, debug: Bool) throws(Failure) {
        self.file = file
        self.debug = debug
        switch format {
        case nil, "text": self.format = .text
        case "json": self.format = .json
        case .some(let other): throw Failure("", "", "invalid log-format: \(other)")
        }
    }

    /// Opens the file, for as long as this process lives, before this process enters a container.
    mutating func hold() {
        guard let file else { return }
        held = open(file)
    }

    private func open(_ file: String) -> FileDescriptor? {
        // `try?`: the message is on standard error too, and there is no other place to tell of a log that fails
        try? FileDescriptor.workingDirectory.open(file, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, mode: 0o644)
    }

    /// Appends a line.
    func error(_ message: String) { append("error", message) }

    /// Appends a line with `--debug`.
    func debug(_ message: @autoclosure () -> String) {
        if debug { append("debug", message()) }
    }

    private func append(_ level: String, _ message: String) {
        guard let file else {
            if level != "error" { Self.write(line(level, message), to: FileDescriptor(rawValue: STDERR_FILENO)) }
            return
        }
        if let held { return Self.write(line(level, message), to: held) }
        guard let log = open(file) else { return }
        defer { log.closeQuietly() }
        Self.write(line(level, message), to: log)
    }

    private static func write(_ line: String, to file: FileDescriptor) {
        try? file.writeFully(line.utf8)  // `try?`: as above
    }

    private func line(_ level: String, _ message: String) -> String {
        let time = Clock.rfc3339(fraction: false)
        let text = String(decoding: JSONText(message).bytes, as: UTF8.self)
        return switch format {
        case .json: "{\"level\":\"\(level)\",\"msg\":\(text),\"time\":\"\(time)\"}\n"
        case .text: "time=\"\(time)\" level=\(level) msg=\(text)\n"
        }
    }
}
