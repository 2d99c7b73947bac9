import Linux
import Runtime

/// `apus-runtime start`: let a created container's command run.
enum StartContainer {
    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, [])
        try globals.store().container(words.id(of: "start")).start()
        return 0
    }
}
