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
        let exec: Exec
        do throws(Failure) {
            exec = try Exec(store.find(request.container), request.options)
        } catch {
            Report.line("\(error)")
            return 1  // as Docker's: a container that is not there, or does not run
        }
        try AttachmentOptions.finish(try exec.run())
    }
}
