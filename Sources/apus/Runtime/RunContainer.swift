import Linux
import Runtime

/// `apus-runtime run`: make a container, run its command, and delete it at its end.
enum RunContainer {
    static let options =
        CreateContainer.options + [.flag("detach", "d"), .flag("keep"), .flag("no-subreaper")]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        let options = try CreateContainer.createOptions(words, globals, command: "run")
        if try words.has("detach") {
            try globals.store().runDetached(options)
            return 0
        }
        return try globals.store().runInForeground(options, keep: words.has("keep"))
    }
}
