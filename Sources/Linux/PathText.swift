/// Text with paths in it, as the kernel parts it: at bytes.
///
/// Swift parts text at characters, and takes a separator together with a combining mark behind it for one character, which
/// is no separator any more.
extension StringProtocol {
    /// Whether it is a path from the root directory.
    public var isAbsolutePath: Bool { utf8.first == UInt8(ascii: "/") }

    /// Whether it begins with the bytes of `start`.
    public func hasBytes(ofPrefix start: String) -> Bool { utf8.starts(with: start.utf8) }

    /// The texts between the separators, empty ones too.
    ///
    /// - Parameters:
    ///   - separator: An ASCII character.
    ///   - maxSplits: How many separators count, from the first one on.
    public func parts(between separator: Unicode.Scalar, maxSplits: Int = .max) -> [String] {
        utf8.split(separator: UInt8(ascii: separator), maxSplits: maxSplits, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// With other bytes in the place of `old`, wherever they stand.
    public func replacing(bytes old: String, with new: String) -> String {
        var result: [UInt8] = []
        var rest = Array(utf8)[...]
        while !rest.isEmpty {
            if rest.starts(with: old.utf8) {
                result += new.utf8
                rest = rest.dropFirst(old.utf8.count)
            } else {
                result.append(rest.removeFirst())
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// What is before the last separator and what is behind it; `nil` without any.
    ///
    /// - Parameter separator: An ASCII character.
    public func sides(ofLast separator: Unicode.Scalar) -> (before: String, behind: String)? {
        let bytes = Array(utf8)
        guard let index = bytes.lastIndex(of: UInt8(ascii: separator)) else { return nil }
        return (
            String(decoding: bytes[..<index], as: UTF8.self), String(decoding: bytes[(index + 1)...], as: UTF8.self)
        )
    }
}
