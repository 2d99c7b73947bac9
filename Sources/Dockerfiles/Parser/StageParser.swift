/// Reads `FROM [--platform=P] IMAGE [AS NAME]`.
struct StageParser {
    private let split: SplitInstruction

    init(_ split: SplitInstruction) {
        self.split = split
    }

    func stage(at place: Place) throws(SyntaxError) -> Stage {
        let flags = try InstructionFlags(split, ["platform": .text])
        let words = split.plainWords
        guard let base = words.first else {
            throw SyntaxError("FROM without an image", remedy: "give 'FROM IMAGE'", at: split.keyword.offset)
        }
        if words.count == 1 { return Stage(base: base.text, platform: flags["platform"]?.nonempty, place: place) }
        guard words[1].text.lowercased() == "as" else {
            throw SyntaxError(
                "'\(words[1].text)' behind the image", remedy: "give 'FROM IMAGE AS NAME'", at: words[1].offset)
        }
        guard words.count == 3 else {
            throw SyntaxError(
                words.count == 2 ? "AS without a name" : "'\(words[3].text)' behind the stage's name",
                remedy: "give 'FROM IMAGE AS NAME'", at: words[words.count == 2 ? 1 : 3].offset)
        }
        let name = words[2].text.lowercased()
        guard Self.isName(name) else {
            throw SyntaxError(
                "'\(words[2].text)' is no name for a stage",
                remedy: "begin with a letter and go on with letters, digits, '-', '_' and '.'", at: words[2].offset)
        }
        return Stage(base: base.text, name: name, platform: flags["platform"]?.nonempty, place: place)
    }

    private static func isName(_ name: String) -> Bool {
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard let first = name.utf8.first, letters.contains(first) else { return false }
        return name.utf8.allSatisfy { letters.contains($0) || digits.contains($0) || "-_.".utf8.contains($0) }
    }
}
