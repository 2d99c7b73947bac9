import CArchive
import Glibc
import Linux
import SystemPackage

/// Calls into libarchive, whose results are `ARCHIVE_OK`, `ARCHIVE_EOF`, or how bad it is.
enum Archive {
    /// Names are bytes to the kernel and UTF-8 to a pax header: in this locale the library converts nothing.
    static func useUTF8() {
        _ = setlocale(LC_CTYPE, "C.UTF-8")
    }

    /// What libarchive says of its last failure.
    ///
    /// - Parameter subject: The file, where there is one.
    static func failure(_ step: String, _ subject: String, _ archive: OpaquePointer) -> Failure {
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "failed"
        let reason = text.prefix(1).lowercased() + text.dropFirst()
        // Its own text has the name alone where the kernel refused something. EILSEQ is its own word for a wrong format.
        let error = Errno(rawValue: archive_errno(archive))
        let isSaid =
            error.rawValue <= 0 || error.rawValue > 133 || error == .illegalByteSequence
            || reason.contains(error.reason)
        return Failure(step, subject, isSaid ? String(reason) : "\(reason): \(error.reason)")
    }

    /// The bytes of a C string; none of a null pointer.
    static func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8] {
        text.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) } ?? []
    }

    /// Calls `body` with `bytes` as a C string.
    static func withCString(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Void) {
        (bytes + [0]).withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
    }

    static func isBad(_ result: CInt) -> Bool { result < ARCHIVE_WARN }
}
