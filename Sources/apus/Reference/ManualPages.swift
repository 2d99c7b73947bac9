import ArgumentParser
import Glibc
import Linux
import SystemPackage

/// `apus generate-manual`: writes the manual pages, for whoever installs Apus.
struct GenerateManual: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate-manual", abstract: "Write the manual pages", shouldDisplay: false)

    @Argument(help: "An existing directory") var directory: String

    func run() throws {
        let shown = Root.commands.filter { $0.configuration.shouldDisplay }.map { CommandOutline($0) }
        do throws(SystemCallError) {
            let target = try FileDescriptor.workingDirectory.open(directory, O_RDONLY | O_DIRECTORY)
            defer { target.closeQuietly() }
            try target.replaceFile("apus.1", with: ManualPage.overview(shown).utf8, mode: 0o644)
            for command in shown {
                let page = ManualPage.page(of: command)
                try target.replaceFile("\(command.pageName).1", with: page.utf8, mode: 0o644)
            }
        } catch {
            throw Failure("write manual pages", directory, error)
        }
    }
}

extension CommandOutline {
    /// That of its manual page, without the section.
    fileprivate var pageName: String { "apus-\(name.replacing(" ", with: "-"))" }
}

/// Pages in the language of man(7).
private enum ManualPage {
    static func page(of command: CommandOutline) -> String {
        let words = ["[OPTIONS]"] + command.positionals.map(\.synopsis)
        var page = header(command.pageName.uppercased())
        page += ".SH NAME\n\(text(command.pageName)) \\- \(text(sentence(command.abstract)))\n"
        page += ".SH SYNOPSIS\n.B apus \(text(command.name))\n\(text(words.joined(separator: " ")))\n"
        page += ".SH DESCRIPTION\n\(text(command.abstract)).\n"
        if !command.discussion.isEmpty { page += ".PP\n\(text(command.discussion))\n" }
        for positional in command.positionals where !positional.help.isEmpty {
            page += ".TP\n.I \(text(positional.synopsis))\n\(text(closed(positional.help)))\n"
        }
        for group in command.groups where !group.options.isEmpty {
            page += group.title == "Options" ? ".SH OPTIONS\n" : ".SH \(text(group.title.uppercased())) OPTIONS\n"
            for option in group.options { page += ".TP\n\(synopsis(of: option))\n\(text(closed(option.help)))\n" }
        }
        return page + ".SH SEE ALSO\n.BR apus (1)\n"
    }

    static func overview(_ commands: [CommandOutline]) -> String {
        var page = header("APUS")
        page += ".SH NAME\napus \\- run containers without a daemon\n"
        page += ".SH SYNOPSIS\n.B apus\n[\\-\\-root DIR] COMMAND [OPTIONS] [ARGUMENTS]\n"
        page += ".SH DESCRIPTION\n\(text(description))\n.SH COMMANDS\n"
        for command in commands {
            page += ".TP\n.BR \(text(command.pageName)) (1)\n\(text(command.abstract)).\n"
        }
        for (title, entries) in sections {
            page += ".SH \(title)\n"
            for (term, meaning) in entries { page += ".TP\n.B \(text(term))\n\(text(meaning))\n" }
        }
        return page
    }

    private static let description = """
        Apus runs commands in containers: with their own processes, files, network and limits, as root or as an ordinary \
        user. Nothing of it stays resident. Commands, options and exit codes are Docker's where Docker has them.
        """

    private static let sections: [(String, [(String, String)])] = [
        (
            "OPTIONS",
            [
                ("--root DIR", "Where containers are kept, instead of APUS_ROOT."),
                ("--help", "Show help."), ("--version", "Show the version."),
            ]
        ),
        (
            "EXIT STATUS",
            [
                ("the container's own", "of run, exec, attach and start -a."),
                ("1", "A command failed for a container."),
                ("124", "The container reached its --timeout."), ("125", "Apus itself failed, or was used wrongly."),
                ("126", "The container's command cannot be executed."),
                ("127", "The container's command was not found."),
                ("128+N", "The container's command was killed by signal N."),
            ]
        ),
        (
            "ENVIRONMENT",
            [
                ("APUS_ROOT", "Where containers are kept."),
                (
                    "XDG_DATA_HOME",
                    "For ordinary users, containers are kept in apus below it; ~/.local/share otherwise."
                ),
            ]
        ),
        (
            "FILES",
            [("/var/lib/apus", "Root's containers."), ("~/.local/share/apus", "An ordinary user's containers.")]
        ),
    ]

    private static func header(_ name: String) -> String {
        ".TH \(text(name)) 1 \"\" \"Apus \(Program.version)\" \"Apus manual\"\n"
    }

    private static func synopsis(of option: CommandOutline.Option) -> String {
        option.names.map { "\\fB\(text($0))\\fR" }.joined(separator: ", ")
            + (option.metavar.map { " \\fI\(text($0))\\fR" } ?? "")
    }

    /// A line of help as a whole sentence.
    private static func closed(_ help: String) -> String { help.hasSuffix(".") || help.isEmpty ? help : "\(help)." }

    private static func sentence(_ abstract: String) -> String {
        abstract.prefix(1).lowercased() + abstract.dropFirst()
    }

    /// Text without what troff would take for its own.
    private static func text(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case ".", "'": result += result.isEmpty || result.hasSuffix("\n") ? "\\&\(character)" : String(character)
            default: result.append(character)
            }
        }
        return result
    }
}
