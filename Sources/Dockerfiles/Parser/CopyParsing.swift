extension InstructionParser {
    /// `COPY` and `ADD`.
    func copy() throws(SyntaxError) -> CopyInstruction {
        let isAdd = keyword == .add
        let flags =
            isAdd
            ? try InstructionFlags(
                split,
                [
                    "chown": .text, "chmod": .text, "link": .bool, "exclude": .list, "checksum": .text,
                    "keep-git-dir": .bool, "unpack": .bool,
                ])
            : try InstructionFlags(
                split,
                ["from": .text, "chown": .text, "chmod": .text, "link": .bool, "parents": .bool, "exclude": .list])
        if let from = flags["from"], from.text.contains("$") {
            throw SyntaxError(
                "--from takes no variables", remedy: "name a stage: FROM \(from.text) AS NAME, then --from=NAME",
                at: from.offset)
        }
        let (sources, destination) = try sourcesAndDestination()
        return CopyInstruction(
            sources: sources, destination: destination, from: flags["from"]?.nonempty, chown: flags["chown"]?.nonempty,
            chmod: flags["chmod"]?.nonempty, link: flags.bool("link") ?? false,
            parents: flags.bool("parents") ?? false, exclude: flags.all("exclude").map(\.text),
            checksum: flags["checksum"]?.nonempty, keepsGitDirectory: flags.bool("keep-git-dir") ?? false,
            unpack: flags.bool("unpack"))
    }

    private func sourcesAndDestination() throws(SyntaxError) -> ([CopyInstruction.Source], String) {
        if let paths = try Self.jsonList(split.arguments) {
            guard paths.count >= 2 else { throw tooFew() }
            return (paths.dropLast().map { .path($0) }, paths[paths.count - 1])
        }
        var sources: [CopyInstruction.Source] = []
        var position = split.arguments.startIndex
        for (word, heredoc) in heredocs {
            sources += Self.paths(split.arguments[position..<word.range.lowerBound])
            guard !heredoc.name.contains("/"), heredoc.name != ".", heredoc.name != ".." else {
                throw SyntaxError(
                    "a heredoc of \(keyword.rawValue) is named '\(heredoc.name)', which is no file's name",
                    remedy: "name it without '/'", at: word.range.lowerBound)
            }
            sources.append(.heredoc(heredoc))
            position = word.range.upperBound
        }
        sources += Self.paths(split.arguments[position...])
        guard sources.count >= 2, let last = sources.popLast() else { throw tooFew() }
        guard case .path(let destination) = last else {
            throw SyntaxError(
                "\(keyword.rawValue) has a heredoc as its destination", remedy: "give a path after it",
                at: heredocs.last?.word.range.lowerBound)
        }
        return (sources, destination)
    }

    private static func paths(_ text: ArraySlice<UInt8>) -> [CopyInstruction.Source] {
        text.split(whereSeparator: \.isBlank).map { .path($0.text) }
    }

    private func tooFew() -> SyntaxError {
        SyntaxError(
            "\(keyword.rawValue) needs a source and a destination",
            remedy: "give '\(keyword.rawValue) SOURCE… DESTINATION'", at: split.keyword.offset)
    }
}

extension Fragment {
    /// `nil` for an empty one, which is as good as none.
    var nonempty: String? { text.isEmpty ? nil : text }
}
