import Containers
import Flags
import Linux

/// `apus exec`.
enum ExecCommand {
    /// Runs the command with the words that follow its name.
    ///
    /// - Returns: The exit code of `apus`.
    static func main(_ words: [String]) throws -> Int32 {
        let request = try ExecCommandLine.parse(words)
        if request.help {
            print(ExecCommandLine.help(), terminator: "")
            return 0
        }
        let store = try ContainerStore()
        for problem in store.sweep() { Report.line("\(problem)") }
        let container = try store.find(request.container)
        try AttachmentOptions.finish(try Exec(container, request.options).run())
    }
}
