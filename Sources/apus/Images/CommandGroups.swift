import ArgumentParser
import Flags
import Linux

/// Commands of two words: Docker's `image ls` and `system df`, and `report show`. Some are others by another name.
enum CommandGroups {
    private static let groups: [(name: String, commands: [(word: String, command: String)])] = [
        (
            "image",
            [
                ("build", "build"), ("history", "history"), ("import", "import"), ("inspect", "image inspect"),
                ("load", "load"),
                ("ls", "images"), ("list", "images"), ("prune", "image prune"), ("pull", "pull"), ("push", "push"),
                ("referrers", "image referrers"), ("rm", "rmi"), ("remove", "rmi"), ("save", "save"), ("tag", "tag"),
            ]
        ),
        ("builder", [("build", "build"), ("prune", "builder prune")]),
        ("cache", [("ls", "cache ls"), ("list", "cache ls"), ("prune", "cache prune"), ("rm", "cache rm")]),
        (
            "network",
            [
                ("connect", "network connect"), ("create", "network create"), ("disconnect", "network disconnect"),
                ("inspect", "network inspect"), ("ls", "network ls"), ("list", "network ls"),
                ("prune", "network prune"), ("rm", "network rm"), ("remove", "network rm"),
            ]
        ),
        ("report", [("compare", "report compare"), ("show", "report show"), ("suggest", "report suggest")]),
        ("system", [("df", "system df"), ("info", "info"), ("prune", "system prune")]),
    ]

    static let names = groups.map(\.name)

    /// The words that follow a group's name.
    static func words(of name: String) -> [(word: String, command: String)] {
        (groups.first { $0.name == name }?.commands ?? []).filter { Root.command(named: $0.command) != nil }
    }

    /// What the words of a group do.
    static func help(_ name: String) -> String {
        let width = words(of: name).map(\.word.count).max() ?? 0
        let lines = words(of: name).map { word, command in
            let abstract = Root.command(named: command)?.configuration.abstract ?? ""
            return "  \(word)\(String(repeating: " ", count: width - word.count + 2))\(abstract)\n"
        }
        return "Commands of \(name)s\n\nUsage: apus \(name) COMMAND\n\nCommands:\n" + lines.joined()
    }

    /// Puts the command's own name in the place of a group's and the word behind it.
    ///
    /// - Returns: The name as it is, if it is no group's.
    static func resolve(_ name: String, _ words: inout ArraySlice<String>) throws -> String {
        guard names.contains(name) else { return name }
        let known = Self.words(of: name)
        guard let word = words.popFirst() else {
            let list = known.map(\.word).joined(separator: ", ")
            throw UsageError("'\(name)' needs a command: \(list)")
        }
        if let command = known.first(where: { $0.word == word }) { return command.command }
        let nearest = Spelling.nearest(to: word, among: known.map(\.word))
        throw UsageError(
            "unknown command '\(name) \(word)'" + (nearest.map { "; did you mean '\(name) \($0)'?" } ?? ""))
    }
}
