import Glibc
public import Linux
import OCI
import SystemPackage

/// Reports in files.
extension UsageReport {
    /// The most bytes that a file is read of.
    public static let sizeLimit = 64 << 20

    /// Reads a file that `--report` has written.
    ///
    /// - Throws: For what cannot be read, is no regular file, has more than 64 MiB, is no report, or is one of another
    ///   schema than this Apus knows.
    public static func read(_ path: String) throws(Failure) -> UsageReport {
        let bytes: [UInt8]
        do throws(SystemCallError) {
            bytes = try FileDescriptor.workingDirectory.contents(of: path, limit: sizeLimit)
        } catch {
            throw unreadable(path, error)
        }
        return try UsageReport(bytes, named: path)
    }

    /// - Parameter path: What they are of, for messages.
    public init(_ bytes: [UInt8], named path: String) throws(Failure) {
        do throws(SpecError) {
            self = try UsageReport(json: bytes, limit: Self.sizeLimit)
        } catch {
            switch error.path {
            case "kind": throw Failure("read report", path, "not a report of Apus (\(error))")
            case "schemaVersion":
                throw Failure(
                    "read report", path, error.description, remedy: "read it with the version of Apus that wrote it")
            default: throw Failure("read report", path, error.description)
            }
        }
    }

    private static func unreadable(_ path: String, _ error: SystemCallError) -> Failure {
        switch error.errno {
        case .fileTooLarge: Failure("read report", path, "more than \(sizeLimit >> 20) MiB")
        case .invalidArgument: Failure("read report", path, "not a regular file")
        default: Failure("read report", path, error)
        }
    }

    /// As a file has it: one object and a newline.
    public var text: [UInt8] { json() + [0x0a] }
}
