import Linux
import Runtime

/// `apus-runtime delete`: remove a container that has ended.
enum DeleteContainer {
    static let options: [RuntimeOption] = [.flag("force", "f")]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        let id = try words.id(of: "delete")
        let force = try words.has("force")
        let store = try globals.store()
        if force {
            try store.find(id)?.delete(force: true)
        } else {
            try store.container(id).delete(force: false)
        }
        return 0
    }
}
