import Linux
import Runtime

/// `apus-runtime exec`: run a further command in a container.
enum ExecInContainer {
    static let options: [RuntimeOption] = [
        .value("process", "p"), .flag("tty", "t"), .value("cwd"), .value("env", "e"), .value("user", "u"),
        .value("additional-gids", "g"), .value("cap", "c"), .value("apparmor"), .value("process-label"),
        .flag("no-new-privs"), .value("preserve-fds"), .value("pid-file"), .value("console-socket"),
        .value("pidfd-socket"),
        .flag("detach", "d"), .flag("ignore-paused"), .value("cgroup"), .flag("no-subreaper"),
    ]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        try globals.store().exec(execOptions(RuntimeWords(words, options, argumentLimit: 1)))
    }

    /// What the words ask for: options stand before the ID, or behind it when a file tells the command.
    private static func execOptions(_ words: RuntimeWords) throws(Failure) -> ExecOptions {
        guard let id = words.arguments.first else {
            throw Failure("", "", "\"exec\" requires a minimum of 1 argument, the container's ID")
        }
        var words = words
        var command = words.arguments.dropFirst()
        if words.value("process") != nil || command.first?.utf8.first == UInt8(ascii: "-") {
            command = try words.takeMore(command, options)
        }
        var result = ExecOptions(id: id)
        result.arguments = Array(command)
        result.processFile = words.value("process")
        result.terminal = try words.has("tty")
        result.workingDirectory = words.value("cwd")
        result.environment = words.values("env")
        result.user = words.value("user")
        result.additionalGroups = try groups(words.values("additional-gids"))
        result.capabilities = words.values("cap")
        result.apparmorProfile = words.value("apparmor")
        result.selinuxLabel = words.value("process-label")
        result.noNewPrivileges = try words.value("no-new-privs") == nil ? nil : words.has("no-new-privs")
        result.preservedDescriptors = try words.count("preserve-fds")
        result.pidFile = words.value("pid-file")
        result.consoleSocket = words.value("console-socket")
        result.pidfdSocket = words.value("pidfd-socket")
        result.detaches = try words.has("detach")
        result.ignoresPause = try words.has("ignore-paused")
        result.cgroups = words.values("cgroup")
        return result
    }

    private static func groups(_ words: [String]) throws(Failure) -> [UInt32] {
        var groups: [UInt32] = []
        for word in words {
            for part in word.split(separator: ",") {
                guard let gid = UInt32(part) else {
                    throw Failure("", "", "invalid value \"\(word)\" for flag -additional-gids: a number is wanted")
                }
                groups.append(gid)
            }
        }
        return groups
    }
}
