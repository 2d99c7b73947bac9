import ArgumentParser
import Flags
import Linux
import OCI

/// Writes the forms of options that Docker's users type as ArgumentParser takes them: `--all=true`, `-f=false`,
/// `-n5`, `--tail -1`.
struct ArgumentForms {
    /// Options by each of their names, without dashes.
    private var options: [String: (long: String, takesValue: Bool)] = [:]
    /// Whether everything from the first argument on is for another program.
    private var passesThrough = false

    init(of command: any ParsableCommand.Type) {
        for argument in CommandDescription.of(command).arguments ?? [] {
            if argument.kind == "positional" {
                passesThrough = passesThrough || argument.parsingStrategy == "allRemainingInput"
            }
            guard let names = argument.names else { continue }
            let preferred = names.first { $0.kind == "long" } ?? names[0]
            for name in names {
                let opposite = name.name.hasPrefix("no-") && names.contains { "no-\($0.name)" == name.name }
                options[name.name] = (Self.dashed(opposite ? name : preferred), argument.kind == "option")
            }
        }
    }

    private static func dashed(_ name: CommandDescription.Name) -> String {
        name.kind == "long" ? "--\(name.name)" : "-\(name.name)"
    }

    /// The same words, in forms that ArgumentParser takes; words that are no known option stay as they are.
    func rewrite(_ words: [String]) -> [String] {
        var result: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" { return result + [word] + rest }
            if word.hasPrefix("--") {
                result += long(word, &rest)
            } else if word.hasPrefix("-"), word.utf8.count > 1 {
                result += short(word, &rest)
            } else if passesThrough {
                return result + [word] + rest
            } else {
                result.append(word)
            }
        }
        return result
    }

    /// The first of `words` that looks like an option and is none.
    func unknownOption(in words: [String], of command: String) -> UsageError? {
        var rest = words[...]
        while let word = rest.popFirst(), word != "--" {
            guard word.hasPrefix("-"), word.utf8.count > 1 else {
                if passesThrough { return nil }
                continue
            }
            var names: [String] = []
            if word.hasPrefix("--") {
                names = [String(word.dropFirst(2).prefix { $0 != "=" })]
            } else {
                names = word.dropFirst().prefix { $0 != "=" }.map { String($0) }
            }
            for (index, name) in names.enumerated() {
                guard let option = options[name] else { return unknown(name, command) }
                guard option.takesValue else { continue }
                if index == names.count - 1, !word.contains("=") { rest = rest.dropFirst() }
                break
            }
        }
        return nil
    }

    private func unknown(_ name: String, _ command: String) -> UsageError {
        if name.count == 1 { return UsageError("unknown option '-\(name)'", command: command) }
        let nearest = Spelling.nearest(to: name, among: options.keys.filter { $0.count > 1 }.sorted())
        return UsageError(
            "unknown option '--\(name)'" + (nearest.map { ", did you mean '--\($0)'?" } ?? ""), command: command)
    }

    private func long(_ word: String, _ rest: inout ArraySlice<String>) -> [String] {
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let option = options[String(parts[0])] else { return [word] }
        if option.takesValue {
            if parts.count == 2 { return [word] }
            return ["\(option.long)=\(rest.popFirst() ?? "")"]
        }
        guard parts.count == 2 else { return [word] }
        return switched(option.long, parts[1]) ?? [word]
    }

    /// A group of one-letter options, the last maybe with its value: `-aq`, `-n5`, `-n=5`, `-f=false`.
    private func short(_ word: String, _ rest: inout ArraySlice<String>) -> [String] {
        var result: [String] = []
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = options[String(letter)] else { return [word] }
            if option.takesValue {
                let value = letters.isEmpty ? rest.popFirst() : String(letters.drop { $0 == "=" })
                return result + ["\(option.long)=\(value ?? "")"]
            }
            if letters.first == "=" {
                guard let words = switched(option.long, letters.dropFirst()) else { return [word] }
                return result + words
            }
            result.append(option.long)
        }
        return result
    }

    /// - Note: Go's `strconv.ParseBool`.
    private func switched(_ option: String, _ value: Substring) -> [String]? {
        switch value {
        case "1", "t", "T", "true", "True", "TRUE": [option]
        // One that is on by default has an opposite: `--no-sig-proxy`.
        case "0", "f", "F", "false", "False", "FALSE":
            options["no-\(option.dropFirst(2))"] == nil ? [] : ["--no-\(option.dropFirst(2))"]
        default: nil
        }
    }
}

/// A command as ArgumentParser describes it: its options, their help, its subcommands.
struct CommandDescription: JSONMappable {
    struct Name: JSONMappable {
        /// `long`, `short` or `longWithSingleDash`.
        private(set) var kind = ""
        /// Without dashes.
        private(set) var name = ""

        mutating func map(_ fields: JSONFields) {
            fields.required("kind", &kind)
            fields.required("name", &name)
        }
    }

    struct CompletionKind: JSONMappable {
        struct Command: JSONMappable {
            private(set) var command = ""

            mutating func map(_ fields: JSONFields) { fields.required("command", &command) }
        }
        private(set) var shellCommand: Command?

        mutating func map(_ fields: JSONFields) { fields.optional("shellCommand", &shellCommand) }
    }

    struct Argument: JSONMappable {
        /// `positional`, `option` or `flag`.
        private(set) var kind = ""
        private(set) var shouldDisplay = false
        private(set) var isOptional = false
        private(set) var isRepeating = false
        private(set) var parsingStrategy: String?
        private(set) var names: [Name]?
        private(set) var valueName: String?
        private(set) var completionKind: CompletionKind?
        private(set) var abstract: String?

        mutating func map(_ fields: JSONFields) {
            fields.required("kind", &kind)
            fields.required("shouldDisplay", &shouldDisplay)
            fields.required("isOptional", &isOptional)
            fields.required("isRepeating", &isRepeating)
            fields.optional("parsingStrategy", &parsingStrategy)
            fields.optional("names", &names)
            fields.optional("valueName", &valueName)
            fields.optional("completionKind", &completionKind)
            fields.optional("abstract", &abstract)
        }
    }

    private(set) var arguments: [Argument]?

    mutating func map(_ fields: JSONFields) { fields.optional("arguments", &arguments) }

    private struct Tool: JSONMappable {
        var command = CommandDescription()

        mutating func map(_ fields: JSONFields) { fields.required("command", &command) }
    }

    static func of(_ command: any ParsableCommand.Type) -> CommandDescription {
        do {
            return try Tool(json: Array(command._dumpHelp().utf8)).command
        } catch {
            fatalError("ArgumentParser describes '\(command._commandName)' in another way than it used to: \(error)")
        }
    }
}
