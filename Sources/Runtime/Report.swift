import Glibc
import Linux
import SystemPackage

/// What a user should know beside a command's result.
enum Report {
    /// Writes a line to standard error.
    static func warning(_ text: String) {
        let line = "apus-runtime: warning: \(text)\n"
        try? FileDescriptor(rawValue: STDERR_FILENO).writeFully(line.utf8)  // `try?`: nobody can be told
    }
}
