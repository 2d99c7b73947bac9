import Linux
import OCI
import Runtime

/// `apus-runtime state`: print a container's state.
enum StateOfContainer {
    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, [])
        let report = try globals.store().container(words.id(of: "state")).report()
        return try RuntimeProgram.printing(JSONLayout.indented(report.json()) + "\n")
    }
}
