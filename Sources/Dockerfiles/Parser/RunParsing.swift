extension InstructionParser {
    /// `RUN`.
    func run() throws(SyntaxError) -> RunInstruction {
        let flags = try InstructionFlags(split, ["mount": .list, "network": .text, "security": .text])
        let network: RunInstruction.Network? = try choice(flags["network"], "network", ["default", "none", "host"])
        let security: RunInstruction.Security? = try choice(flags["security"], "security", ["sandbox", "insecure"])
        let texts = flags.all("mount")
        var mounts: [RunMount] = []
        for text in texts {
            do throws(SyntaxError) {
                mounts.append(try MountFlag(text.text, escape: split.escape).parsed())
            } catch {
                throw error.at(text.offset)
            }
        }
        let (command, heredocs) = try commandAndHeredocs()
        return RunInstruction(
            command: command, heredocs: heredocs, mounts: mounts, network: network ?? .default,
            security: security ?? .sandbox, mountTexts: texts.map(\.text))
    }

    private func choice<Choice: RawRepresentable<String>>(
        _ flag: Fragment?, _ name: String, _ choices: [String]
    ) throws(SyntaxError) -> Choice? {
        guard let flag else { return nil }
        if let choice = Choice(rawValue: flag.text) { return choice }
        throw SyntaxError(
            "--\(name) cannot be '\(flag.text)'",
            remedy: didYouMean(flag.text, among: choices) ?? "give \(choices.joined(separator: ", "))", at: flag.offset)
    }

    private func commandAndHeredocs() throws(SyntaxError) -> (CommandLine, [Heredoc]) {
        guard !split.arguments.isEmpty else {
            throw SyntaxError("RUN without a command", remedy: "give 'RUN COMMAND'", at: split.keyword.offset)
        }
        let command = try Self.command(split.arguments)
        guard command != .exec([]) else {
            throw SyntaxError("RUN without a command", remedy: #"give RUN ["COMMAND"]"#, at: split.arguments.startIndex)
        }
        if heredocs.count == 1, heredocs[0].word.range == split.arguments.indices {
            return (.shell(heredocs[0].heredoc.text), [])
        }
        return (command, heredocs.map(\.heredoc))
    }
}
