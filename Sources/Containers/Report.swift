import Glibc
import Linux
import SystemPackage

/// What Apus says to its user beside a command's result: on standard error, a line at a time.
public enum Report {
    /// Writes `apus: text` and a newline.
    public static func line(_ text: String) {
        raw("apus: \(text)\n")
    }

    /// Writes `text` as it is.
    public static func raw(_ text: String) {
        try? FileDescriptor(rawValue: STDERR_FILENO).writeFully(text.utf8)  // `try?`: nobody can be told
    }
}
