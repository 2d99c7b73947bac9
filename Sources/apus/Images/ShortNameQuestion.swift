import Containers
import Glibc
import Images
import Linux

/// Asks which image a name means that several registries might have.
enum ShortNameQuestion {
    /// - Returns: `nil` where there is no terminal to ask at.
    static func ask(_ name: String, _ candidates: [ImageReference]) throws(Failure) -> ImageReference? {
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return nil }
        let list = candidates.enumerated().map { "  \($0 + 1)) \($1.canonical)\n" }.joined()
        Report.raw("Which image is '\(name)'?\n\(list)")
        while true {
            Report.raw("Number: ")
            guard let answer = readLine() else {
                throw Failure(
                    "short name", name, "no image was chosen",
                    remedy: "give the registry too, as in '\(candidates[0].canonical)'")
            }
            let digits = answer.filter { !$0.isWhitespace }
            if let number = Int(digits), candidates.indices ~= number - 1 { return candidates[number - 1] }
            Report.raw("Give a number from 1 to \(candidates.count).\n")
        }
    }
}
