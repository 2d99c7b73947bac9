/// What `--help` prints.
enum RuntimeHelp {
    static let text = """
        Run containers of OCI bundles, for engines: with the commands and options of runc.

        Usage: apus-runtime [GLOBAL OPTIONS] COMMAND [OPTIONS] ID

        Commands:
          create      make a container, whose command waits for 'start'
          start       let a created container's command run
          run         both, and delete the container when its command has ended
          state       print a container's state
          kill        send a signal to a container
          delete      remove a container that has ended
          exec        run a further command in a container
          list        list containers
          ps          list the processes of a container
          events      print what a container uses, and when memory ran out for it
          pause       stop the processes of a container
          resume      let them go on
          update      change a container's limits
          checkpoint  save a container's processes to files, by criu
          restore     make a container again from these
          spec        write an example config.json
          features    print what this runtime can do

        Global options:
          --root DIR           where states are kept
          --log FILE           where errors are written to as well
          --log-format FORMAT  text (default) or json
          --debug              log each call, too
          --systemd-cgroup     take cgroupsPath as slice:prefix:name
          --rootless BOOL      whether to go without a cgroup that may not be made: true, false or auto
          --criu PATH          the criu to use
          --version, --help

        """

    /// Of one command: what it does, and its options, which do what they do in runc.
    ///
    /// - Returns: `nil` for one that there is not: an engine asks so whether there is.
    static func text(of command: String) -> String? {
        let lines = text.split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("  \(command) ") }) else { return nil }
        let summary = line.dropFirst(command.utf8.count + 2).drop { $0 == " " }
        let arguments =
            switch command {
            case "exec": "ID [COMMAND [ARGUMENT…]]"
            case "kill": "ID [SIGNAL]"
            case "ps": "ID [OPTION OF PS…]"
            case "list", "spec", "features": ""
            default: "ID"
            }
        var result = "apus-runtime \(command): \(summary)\n\n"
        result += "Usage: apus-runtime [GLOBAL OPTIONS] \(command) [OPTIONS] \(arguments)\n"
        let options = options(of: command)
        if !options.isEmpty { result += "\nOptions, as runc-\(command)(8) has them:\n" }
        return result + options.map { "  \($0.form)\n" }.joined()
    }

    private static func options(of command: String) -> [RuntimeOption] {
        switch command {
        case "create": CreateContainer.options
        case "run": RunContainer.options
        case "kill": KillContainer.options
        case "delete": DeleteContainer.options
        case "exec": ExecInContainer.options
        case "list": ListOfContainers.options
        case "ps": ProcessesOfContainer.options
        case "events": EventsOfContainer.options
        case "update": UpdateContainer.options
        case "checkpoint": CheckpointContainer.options
        case "restore": RestoreContainer.options
        case "spec": WriteSpec.options
        default: []
        }
    }
}
