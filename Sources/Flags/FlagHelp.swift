extension FlagTable {
    /// The text of `--help`.
    ///
    /// - Parameters:
    ///   - abstract: What the command does, in one line.
    ///   - usage: The words after the command's name, one line each way of calling it.
    public func help(abstract: String, usage: [String]) -> String {
        var text = "\(abstract)\n\n"
        for (index, line) in usage.enumerated() {
            text += "\(index == 0 ? "Usage:" : "      ") apus \(command) \(line)\n"
        }
        let width = groups.flatMap(\.flags).map { $0.description.synopsis.count }.max() ?? 0
        for group in groups {
            text += "\n\(group.title):\n"
            for flag in group.flags {
                let synopsis = flag.description.synopsis
                text +=
                    "  \(synopsis)\(String(repeating: " ", count: width - synopsis.count))  \(flag.description.help)\n"
            }
        }
        return text
    }

    /// All flags with the titles of their groups, for completions and manual pages.
    public var descriptions: [(group: String, flags: [FlagDescription])] {
        groups.map { ($0.title, $0.flags.map(\.description)) }
    }
}

extension FlagDescription {
    /// `-e, --env NAME[=VALUE]`
    public var synopsis: String {
        (letter.map { "-\($0), " } ?? "    ") + "--\(name)" + (metavar.map { " \($0)" } ?? "")
    }
}
