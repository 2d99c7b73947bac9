import Linux
import Testing

/// The line that a user reads.
@Suite struct FailureTests {
    @Test(arguments: ["\u{1b}[2J", "\n", "\u{7f}", "\u{9b}2J", "\u{202e}txt.exe", "\u{2066}"])
    func `what a name holds is neither obeyed nor a second line`(part: String) {
        let failure = Failure("start container", "a\(part)b", "it is \(part)", remedy: "say '\(part)'")
        let rest = String(part.unicodeScalars.dropFirst())
        #expect(failure.description == "start container: a?\(rest)b: it is ?\(rest); say '?\(rest)'")
    }

    @Test func `what a user writes is shown as it is`() {
        #expect(Failure("run", "Schwälbchen", "größer als 1 ✓").description == "run: Schwälbchen: größer als 1 ✓")
    }
}
