import Glibc
import Linux
import Runtime

/// `apus-runtime create`: make a container whose command waits for `start`.
enum CreateContainer {
    /// Those that `run` has as well.
    static let options: [RuntimeOption] = [
        .value("bundle", "b"), .value("pid-file"), .value("console-socket"), .value("pidfd-socket"), .flag("no-pivot"),
        .flag("no-new-keyring"), .value("preserve-fds"),
    ]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        try globals.store().create(createOptions(words, globals, command: "create"))
        return 0
    }

    /// What the words ask for.
    static func createOptions(
        _ words: RuntimeWords, _ globals: RuntimeGlobals, command: String
    ) throws(Failure) -> CreateOptions {
        var options = CreateOptions(id: try words.id(of: command))
        options.bundle = words.value("bundle") ?? "."
        options.pidFile = words.value("pid-file")
        options.consoleSocket = words.value("console-socket")
        options.pidfdSocket = words.value("pidfd-socket")
        options.pivots = try !words.has("no-pivot")
        options.makesKeyring = try !words.has("no-new-keyring")
        options.preservedDescriptors = try words.count("preserve-fds")
        options.systemdCgroup = globals.systemdCgroup
        options.rootless = globals.rootless
        return options
    }
}
