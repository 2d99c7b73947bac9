import Containers
import Flags
import FoundationEssentials
import Glibc
import Linux

do {
    let words = Array(CommandLine.arguments.dropFirst(2))
    switch CommandLine.arguments.dropFirst().first {
    case "run": exit(try RunCommand.main(words, verb: .run))
    case "create": exit(try RunCommand.main(words, verb: .create))
    case "exec": exit(try ExecCommand.main(words))
    default: exit(125)
    }
} catch {
    Report.line("\(error)")
    exit((error as? Failure)?.exitCode ?? 125)
}
