import ArgumentParser
import Flags
import Linux

/// All commands, for help, completion and the manual; `Program` finds the one to run.
struct Root: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "Run containers: no daemon, no server, nothing left standing",
        usage: "apus [--root DIR] COMMAND [OPTIONS] [ARGUMENTS]",
        discussion: """
            --root DIR, or the environment variable APUS_ROOT, says where containers are kept: by default \
            /var/lib/apus for root and ~/.local/share/apus for others. --version prints the version. \
            'apus oci', by its other name apus-runtime, is an OCI runtime for engines: 'apus oci --help'.
            """,
        subcommands: [GenerateManual.self, FetchFile.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Life of a container",
                subcommands: [
                    RunStub.self, CreateStub.self, Start.self, Stop.self, Restart.self, Kill.self, Pause.self,
                    Unpause.self,
                    Wait.self, Remove.self, Rename.self, Update.self,
                ]),
            CommandGroup(
                name: "Inside and out",
                subcommands: [
                    ExecStub.self, Attach.self, Logs.self, ListContainers.self, Inspect.self, Top.self, Stats.self,
                    Copy.self, Diff.self, Port.self,
                ]),
            CommandGroup(
                name: "Images",
                subcommands: [
                    BuildImage.self, PruneBuilder.self, PullImage.self, PushImage.self, ListImages.self,
                    RemoveImages.self, TagImage.self, ShowHistory.self, ShowReferrers.self,
                    InspectImages.self,
                    PruneImages.self, SaveImages.self, LoadImages.self, ImportImage.self, ExportContainer.self,
                    CommitContainer.self, SearchImages.self, LogIn.self, LogOut.self,
                ]),
            CommandGroup(
                name: "Networks",
                subcommands: [
                    CreateNetwork.self, ListNetworks.self, InspectNetworks.self, RemoveNetworks.self,
                    PruneNetworks.self, ConnectNetwork.self, DisconnectNetwork.self,
                ]),
            CommandGroup(
                name: "Reports",
                subcommands: [ShowReport.self, CompareReports.self, SuggestLimits.self]),
            CommandGroup(
                name: "This machine",
                subcommands: [
                    LimitStub.self, DoctorCommand.self, Info.self, DiskUsage.self, PruneSystem.self, ListCaches.self,
                    RemoveCaches.self, PruneCaches.self, Version.self,
                ]),
        ])

    /// The command of that name, hidden ones included.
    static func command(named name: String) -> (any ParsableCommand.Type)? {
        commands.first { $0._commandName == name || $0.configuration.aliases.contains(name) }
    }

    static let commands: [any ParsableCommand.Type] =
        configuration.groupedSubcommands.flatMap(\.subcommands) + configuration.ungroupedSubcommands

    /// What to say of a command that does not exist.
    static func unknown(_ name: String) -> UsageError {
        let names = commands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
        guard let nearest = Spelling.nearest(to: name, among: names) else {
            return UsageError("unknown command '\(name)'")
        }
        return UsageError("unknown command '\(name)', did you mean '\(nearest)'?")
    }
}
