import Formats
import Reports

/// Suggested limits as text and as JSON.
enum SuggestionText {
    typealias Suggested = (group: LimitSuggestions.Group, suggestions: [LimitSuggestions.Suggestion])

    /// `--memory 615m --timeout 1m20s`.
    static func flags(_ suggestions: [LimitSuggestions.Suggestion]) -> String {
        suggestions.compactMap { suggestion in suggestion.word.map { "--\(suggestion.name) \($0)" } }
            .joined(separator: " ")
    }

    static func table(_ groups: [Suggested], margin: Percentage) -> String {
        let parts = groups.map { group, suggestions in "\(heading(group))\n\n\(body(suggestions, margin))" }
        let head = groups.count > 1 ? "\(groups.count) different commands, each with limits of its own\n\n" : ""
        return head + parts.joined(separator: "\n")
    }

    private static func body(_ suggestions: [LimitSuggestions.Suggestion], _ margin: Percentage) -> String {
        if suggestions.isEmpty { return "  no limit: the reports have no peaks\n" }
        let flags = flags(suggestions)
        return "  \(flags.isEmpty ? "no limit: each was reached by all runs" : flags)\n\n\(table(suggestions, margin))"
    }

    private static func heading(_ group: LimitSuggestions.Group) -> String {
        var notes = [count(group.runs, "run")]
        if group.failed > 0 { notes.append("\(group.failed) failed without having reached a limit, and counted") }
        if group.neverBegan > 0 { notes.append("\(group.neverBegan) more never began, and not counted") }
        var table = Table()
        table.add(["\(group.commandLine): \(notes.joined(separator: "; "))"])
        return String(table.text.dropLast())  // its newline; what a terminal would obey is gone
    }

    private static func table(_ suggestions: [LimitSuggestions.Suggestion], _ margin: Percentage) -> String {
        var table = Table(header: ["LIMIT", "RUNS", "95TH PERCENTILE", "HIGHEST", "WITH \(margin)", ""])
        for suggestion in suggestions {
            table.add([
                suggestion.name, "\(suggestion.runs)", text(suggestion.percentile, suggestion),
                text(suggestion.highest, suggestion), suggestion.word ?? "-", note(suggestion),
            ])
        }
        return table.trimmedText
    }

    private static func text(_ value: UInt64?, _ suggestion: LimitSuggestions.Suggestion) -> String {
        value.map { Readable.text($0, suggestion.unit) } ?? "-"
    }

    private static func note(_ suggestion: LimitSuggestions.Suggestion) -> String {
        guard suggestion.ignored > 0 else { return "" }
        let ignored =
            "\(count(suggestion.ignored, "run")) reached this limit and \(suggestion.ignored == 1 ? "does" : "do")"
        return ignored + " not count" + (suggestion.runs == 0 ? ": raise it and measure again" : "")
    }

    private static func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }

    static func value(_ groups: [Suggested], margin: Percentage) -> Value {
        [
            "kind": "apus-suggestions", "schemaVersion": 1, "margin": .string("\(margin)"),
            "commands": .list(
                groups.map { group, suggestions in
                    [
                        "command": .strings(group.command), "runs": .integer(of: group.runs),
                        "failed": .integer(of: group.failed), "neverBegan": .integer(of: group.neverBegan),
                        "flags": .strings(
                            suggestions.flatMap { suggestion in
                                suggestion.word.map { ["--\(suggestion.name)", $0] } ?? []
                            }),
                        "limits": .list(suggestions.map(value)),
                    ]
                }),
        ]
    }

    private static func value(_ suggestion: LimitSuggestions.Suggestion) -> Value {
        [
            "name": .string(suggestion.name), "unit": .string(suggestion.unit.rawValue),
            "runs": .integer(of: suggestion.runs), "ignored": .integer(of: suggestion.ignored),
            "percentile95": .optional(suggestion.percentile), "highest": .optional(suggestion.highest),
            "value": .optional(suggestion.value), "word": .optional(suggestion.word),
        ]
    }
}
