import Containers
public import Linux

/// The flags of one command, read as Docker reads them: `--x v`, `--x=v`, `-x v`, `-xv`, `-x=v`, `-itd`, `--rm=false`.
///
/// Written here because the `ArgumentParser` takes longer over this many options than a whole run may.
public struct FlagTable<Target>: Sendable {
    /// The command as the user calls it: `run`.
    public let command: String
    public let groups: [FlagGroup<Target>]
    /// Flags of Docker that are understood but cannot be had.
    let unavailable: [String]

    public init(command: String, groups: [FlagGroup<Target>], unavailable: [String] = []) {
        self.command = command
        self.groups = groups
        self.unavailable = unavailable
    }

    /// Stores the flags at the start of `words`, up to the first word that is none, or to `--`.
    ///
    /// - Returns: The words after the flags.
    /// - Throws: For an unknown flag, a missing value, and what the flags themselves refuse, named by the flag.
    public func parse(_ words: [String], into target: inout Target) throws(Failure) -> ArraySlice<String> {
        var rest = words[...]
        while let word = rest.first, word.utf8.first == UInt8(ascii: "-"), word.utf8.count > 1 {
            rest.removeFirst()
            if word == "--" { break }
            if word.hasPrefix("--") {
                try parseLong(word, &rest, &target)
            } else {
                try parseLetters(word, &rest, &target)
            }
        }
        return rest
    }

    private func parseLong(
        _ word: String, _ rest: inout ArraySlice<String>, _ target: inout Target
    ) throws(Failure) {
        let (name, value) = Self.split(word)
        guard let flag = find(where: { $0.name == name.dropFirst(2) }) else { throw unknown(String(name)) }
        try apply(flag, String(name), value, &rest, &target)
    }

    private func parseLetters(
        _ word: String, _ rest: inout ArraySlice<String>, _ target: inout Target
    ) throws(Failure) {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let flag = find(where: { $0.letter == letter }) else {
                let name = "-\(letter)"
                let isWhole = word.utf8.count == 2 || unavailable.contains(name)
                throw unknown(isWhole ? name : "\(name)' in '\(word)")
            }
            let name = "-\(letter)"
            if letters.first == "=" {
                return try apply(flag, name, String(letters.dropFirst()), &rest, &target)
            }
            if case .value = flag.action, !letters.isEmpty {
                return try apply(flag, name, String(letters), &rest, &target)
            }
            try apply(flag, name, nil, &rest, &target)
        }
    }

    /// - Parameter value: What stood in the same word; the next word is taken otherwise, whatever it looks like.
    private func apply(
        _ flag: Flag<Target>, _ name: String, _ value: String?, _ rest: inout ArraySlice<String>,
        _ target: inout Target
    ) throws(Failure) {
        do throws(Failure) {
            switch flag.action {
            case .toggle(let store):
                var isOn = true
                if let value { isOn = try Values.boolean(value) }
                try store(&target, isOn)
            case .value(let store):
                guard let text = value ?? rest.popFirst() else {
                    throw Failure("", "", "needs a value", remedy: seeHelp)
                }
                try store(&target, text)
            }
        } catch {
            throw error.naming(name)
        }
    }

    private static func split(_ word: String) -> (name: Substring, value: String?) {
        guard let sign = word.utf8.firstIndex(of: UInt8(ascii: "=")) else { return (word[...], nil) }
        return (word[..<sign], String(word[word.utf8.index(after: sign)...]))
    }

    private func find(where matches: (FlagDescription) -> Bool) -> Flag<Target>? {
        for group in groups {
            for flag in group.flags where matches(flag.description) { return flag }
        }
        return nil
    }

    private var seeHelp: String { "see 'apus \(command) --help'" }

    private func unknown(_ name: String) -> Failure {
        if unavailable.contains(name) { return Failure(command, "'\(name)'", "not available", remedy: seeHelp) }
        let names = groups.flatMap { $0.flags.map(\.description.name) }
        let nearest = name.hasPrefix("--") ? Spelling.nearest(to: String(name.dropFirst(2)), among: names) : nil
        return Failure(
            command, "'\(name)'", "unknown flag" + (nearest.map { ", did you mean '--\($0)'?" } ?? ""), remedy: seeHelp)
    }
}
