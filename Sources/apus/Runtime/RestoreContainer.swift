import Linux
import Runtime

/// `apus-runtime restore`: make a container again from what `checkpoint` has saved, by CRIU.
enum RestoreContainer {
    static let options =
        CheckpointContainer.commonOptions + [
            .value("bundle", "b"), .value("pid-file"), .value("console-socket"), .flag("no-pivot"),
            .flag("detach", "d"), .flag("no-subreaper"), .value("lsm-profile"), .value("lsm-mount-context"),
        ]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        if try words.has("no-pivot") {
            throw Failure("", "--no-pivot", "criu changes the root by pivot_root(2) alone", remedy: "leave it out")
        }
        var wish = try CheckpointContainer.wish(words, globals)
        wish.lsmProfile = words.value("lsm-profile")
        wish.lsmMountContext = words.value("lsm-mount-context")
        let options = try CreateContainer.createOptions(words, globals, command: "restore")
        if try words.has("detach") {
            try globals.store().restoreDetached(options, from: wish)
            return 0
        }
        return try globals.store().restoreInForeground(options, from: wish)
    }
}
