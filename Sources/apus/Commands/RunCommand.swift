import Containers
import Flags
import Glibc
import Linux

/// `apus run` and `apus create`.
enum RunCommand {
    /// Runs the command with the words that follow its name.
    ///
    /// - Returns: The exit code of `apus`.
    static func main(_ words: [String], verb: RunCommandLine.Verb) throws -> Int32 {
        var request = try RunCommandLine.parse(words, verb: verb)
        if request.help {
            print(RunCommandLine.help(verb), terminator: "")
            return 0
        }
        let store = try ContainerStore()
        for problem in store.sweep() { Report.line("\(problem)") }
        try RunImage.resolve(&request, store)
        for warning in try request.config.prepareJob() { Report.line("warning: \(warning)") }
        if verb == .create {
            let container = try store.create(request.config, cidfile: request.cidfile)
            print(container.id)
            return 0
        }
        if request.detach {
            return try DetachedRun.run(request, in: store)
        }
        if request.config.tty || !request.signalProxy { return try AttachedRun.run(request) }
        let config = request.config
        let changesOutput = !request.lineMarks.isEmpty || config.job?.masksSecrets ?? false
        let sharesStreams =
            config.log.driver == .passthrough
            || (config.removeAtEnd && !config.log.isExplicit && !changesOutput)
        return try store.runInForeground(
            config, cidfile: request.cidfile, sharesStreams: sharesStreams, marks: request.lineMarks,
            reports: request.report.reports())
    }
}
