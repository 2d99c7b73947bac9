import Flags
import Linux

struct TerminalRun {
    init(_ r: RunRequest) {}
    func run() throws -> Int32 { throw Failure("x", "x", "x") }
}
