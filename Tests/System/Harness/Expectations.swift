import Testing

/// Expects success, `text` on standard output with or without white space around it, and nothing on standard error.
func expectOutput(_ outcome: Outcome, _ text: String, location: SourceLocation = #_sourceLocation) {
    let isRight = outcome.status == 0 && outcome.text == text && outcome.errors == ""
    #expect(isRight, "\(text.debugDescription) wanted, but \(outcome)", sourceLocation: location)
}

/// Expects a failure that is one line on standard error, with these words in it.
func expectRefusal(
    _ outcome: Outcome, _ status: Int32 = 125, naming words: String..., location: SourceLocation = #_sourceLocation
) {
    let lines = outcome.errors.split(separator: "\n")
    let isRight =
        outcome.status == status && outcome.output == "" && lines.count == 1 && outcome.errors.hasPrefix("apus: ")
        && words.allSatisfy { outcome.errors.contains($0) }
    #expect(isRight, "\(status) and \(words) wanted, but \(outcome)", sourceLocation: location)
}
