import Containers
import Images
import Linux
import OCI

/// An instruction of a Dockerfile that changes what containers of an image do, as `commit` and `import` take it.
///
/// - Note: Docker's reference of `commit`: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR.
struct ImageChange {
    private let text: String
    private let instruction: String
    private let argument: String

    private static let known = [
        "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    ]

    /// - Throws: For what is no such instruction.
    init(_ text: String) throws(Failure) {
        let parts = text.split(separator: " ", maxSplits: 1).map { String($0) }
        self.text = text
        instruction = parts.first?.uppercased() ?? ""
        let rest = parts.count > 1 ? parts[1][...] : ""
        argument = String(rest.drop { $0 == " " })
        guard Self.known.contains(instruction), !argument.isEmpty else {
            throw Failure(
                "--change", "'\(text)'", "not an instruction with an argument",
                remedy: "\(Self.known.joined(separator: ", ")) are known, as in 'CMD [\"sh\"]'")
        }
    }

    func apply(to image: inout ImageConfig) throws(Failure) {
        var config = image.config ?? .init()
        switch instruction {
        case "CMD": config.cmd = command()
        case "ENTRYPOINT":
            config.entrypoint = command()
            config.cmd = nil
        case "ENV":
            for (name, value) in try assignments() {
                var environment = (config.env ?? []).filter { !$0.hasPrefix("\(name)=") }
                environment.append("\(name)=\(value)")
                config.env = environment
            }
        case "LABEL":
            for (name, value) in try assignments() {
                config.labels = (config.labels ?? [:]).merging([name: value]) { $1 }
            }
        case "EXPOSE":
            let ports = argument.split(separator: " ").map { $0.contains("/") ? String($0) : "\($0)/tcp" }
            config.ports = Array(Set(config.ports + ports))
        case "VOLUME":
            let paths = Self.list(argument) ?? argument.split(separator: " ").map { String($0) }
            config.volumePaths = Array(Set(config.volumePaths + paths))
        case "STOPSIGNAL":
            _ = try Signal(parsing: argument)
            config.stopSignal = argument
        case "USER": config.user = argument
        case "WORKDIR":
            let isAbsolute = argument.hasPrefix("/")
            config.workingDir = isAbsolute ? argument : "\(config.workingDir ?? "")/\(argument)"
        default: config.onBuild = (config.onBuild ?? []) + [argument]
        }
        image.config = config
    }

    /// A list as JSON has it, or else a line for the shell.
    private func command() -> [String] { Self.list(argument) ?? ["/bin/sh", "-c", argument] }

    private struct List: JSONMappable {
        var words: [String] = []
        mutating func map(_ fields: JSONFields) { fields.required("words", &words) }
    }

    private static func list(_ text: String) -> [String]? {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
        return try? List(json: Array("{\"words\":\(text)}".utf8)).words  // `try?`: then it is a line
    }

    /// `NAME=value NAME="value with blanks"`, or the old form `NAME value`.
    private func assignments() throws(Failure) -> [(name: String, value: String)] {
        let words = try words()
        if let first = words.first, !first.contains("=") {
            guard words.count > 1 else { throw Failure("--change", "'\(text)'", "no value for '\(first)'") }
            return [(first, words.dropFirst().joined(separator: " "))]
        }
        var result: [(name: String, value: String)] = []
        for word in words {
            let (name, value) = try Assignments.split(word)
            guard let value else { throw Failure("--change", "'\(text)'", "no '=' in '\(word)'") }
            result.append((name, value))
        }
        return result
    }

    /// The argument's words, with quotes and backslashes as shells have them.
    private func words() throws(Failure) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in argument {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if character == quote {
                quote = nil
            } else if quote == nil, character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if quote == nil, character == " " || character == "\t" {
                if let word { words.append(word) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil, !isEscaped else { throw Failure("--change", "'\(text)'", "a quote is not closed") }
        return words + (word.map { [$0] } ?? [])
    }
}
