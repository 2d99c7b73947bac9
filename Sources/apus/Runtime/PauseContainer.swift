import Linux
import Runtime

/// `apus-runtime pause`: stop the processes of a container.
enum PauseContainer {
    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        try globals.store().container(RuntimeWords(words, []).id(of: "pause")).pause()
        return 0
    }
}

/// `apus-runtime resume`: let them go on.
enum ResumeContainer {
    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        try globals.store().container(RuntimeWords(words, []).id(of: "resume")).resume()
        return 0
    }
}
