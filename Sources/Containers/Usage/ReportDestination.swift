import CLinux
import Glibc
public import Linux
public import Reports
import SystemPackage

/// A file that a report is to be written to, opened before anything runs: what cannot be written is said at once.
public struct ReportDestination: Sendable {
    public let path: String
    public let format: ReportFormat
    private let file: FileDescriptor

    /// Opens the file, and makes it when it is missing; what is in it stays until the report is written.
    ///
    /// - Throws: For a name that ends neither in `.json` nor in `.html`, and for a file that cannot be written.
    public init(_ path: String) throws(Failure) {
        self.path = path
        format = try Self.format(of: path)
        do throws(SystemCallError) {
            // Without waiting for who reads a FIFO.
            file = try FileDescriptor.workingDirectory.open(
                path, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY, mode: 0o666)
            try check("fcntl", "'\(path)'") { apus_fcntl_int(file.rawValue, F_SETFL, 0) }
        } catch {
            throw Failure("--report", "'\(path)'", error)
        }
    }

    /// - Throws: For a name that ends in neither.
    public static func format(of path: String) throws(Failure) -> ReportFormat {
        if path.hasSuffix(".json") { return .json }
        if path.hasSuffix(".html") { return .html }
        throw Failure(
            "--report", "'\(path)'", "unknown kind of file", remedy: "give a name that ends in .json or .html")
    }

    /// Writes the report in the place of what was there, and closes the file.
    public func write(_ text: [UInt8]) throws(Failure) {
        defer { file.closeQuietly() }
        do throws(SystemCallError) {
            // Fails for what has no length, as a FIFO.
            _ = ftruncate(file.rawValue, 0)
            try file.writeFully(text)
        } catch {
            throw Failure("--report", "'\(path)'", error)
        }
    }
}
