import Linux
import Runtime

/// `apus-runtime kill`: send a signal to a container.
enum KillContainer {
    static let options: [RuntimeOption] = [.flag("all", "a")]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        guard (1...2).contains(words.arguments.count) else {
            throw Failure("", "", "\"kill\" requires the container's ID, and at most a signal")
        }
        let signal = try Signal(parsing: words.arguments.count > 1 ? words.arguments[1] : "SIGTERM")
        try globals.store().container(words.arguments[0]).kill(signal, all: words.has("all"))
        return 0
    }
}
