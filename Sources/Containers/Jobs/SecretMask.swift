import Glibc
import Sandbox

/// What is hidden of a container's output: each line of each secret.
///
/// Lines, since output shows a value of several lines with other ends or indented. Very short ones would hide half of the
/// output and reveal themselves by that.
struct SecretMask {
    /// The fewest bytes of a line that is hidden.
    static let shortest = 4
    private static let replacement = Array("***".utf8)

    /// One line of a value.
    struct Pattern {
        /// Keeps the bytes where they are.
        private let value: SecretValue
        let bytes: UnsafeRawBufferPointer

        fileprivate init(_ value: SecretValue, _ range: Range<Int>) {
            self.value = value
            bytes = UnsafeRawBufferPointer(rebasing: value.bytes[range])
        }
    }

    /// The longest first.
    let patterns: [Pattern]
    /// Whether any pattern begins with a byte.
    private let starts: [Bool]

    init(_ secrets: [SecretFile]) {
        patterns = secrets.flatMap { secret in
            Self.lines(of: secret.value).filter { $0.count >= Self.shortest }.map { Pattern(secret.value, $0) }
        }.sorted { $0.bytes.count > $1.bytes.count }
        var starts = [Bool](repeating: false, count: 256)
        for pattern in patterns { starts[Int(pattern.bytes[0])] = true }
        self.starts = starts
    }

    /// Whether something of a value stays visible.
    static func hasUnmasked(_ value: SecretValue) -> Bool {
        let lines = lines(of: value)
        return lines.isEmpty || lines.contains { $0.count < shortest }
    }

    /// The lines that are not empty, without their ends.
    private static func lines(of value: SecretValue) -> [Range<Int>] {
        value.bytes.split { $0 == 0x0a || $0 == 0x0d }.map { $0.startIndex..<$0.endIndex }
    }

    /// How the bytes at some place stand to the patterns.
    fileprivate enum Match {
        case none
        /// So many of them are to be hidden.
        case whole(Int)
        /// What comes next decides.
        case undecided
    }

    /// - Parameter isLast: Whether nothing comes after these bytes.
    fileprivate func match(_ bytes: UnsafeRawBufferPointer, isLast: Bool) -> Match {
        guard let first = bytes.first, starts[Int(first)] else { return .none }
        for pattern in patterns {
            let count = min(pattern.bytes.count, bytes.count)
            if memcmp(pattern.bytes.baseAddress!, bytes.baseAddress!, count) != 0 { continue }
            if count == pattern.bytes.count { return .whole(count) }
            // A shorter one may be whole already, but whether the longer one becomes so is to be known first.
            if !isLast { return .undecided }
        }
        return .none
    }

    /// One stream, in whatever pieces it comes.
    struct Stream {
        private let mask: SecretMask
        /// The end of what came, which may be the beginning of a secret.
        private var pending: [UInt8] = []

        init(_ mask: SecretMask) { self.mask = mask }

        /// Takes a piece.
        ///
        /// - Returns: What can be shown by now.
        mutating func pass(_ bytes: ArraySlice<UInt8>) -> [UInt8] { take(bytes, isLast: false) }

        /// Ends the stream.
        ///
        /// - Returns: What was held back. The beginning of a secret is shown: nothing says that it was to become one.
        mutating func finish() -> [UInt8] { take([], isLast: true) }

        private mutating func take(_ bytes: ArraySlice<UInt8>, isLast: Bool) -> [UInt8] {
            pending += bytes
            var shown: [UInt8] = []
            shown.reserveCapacity(pending.count)
            let used = pending.withUnsafeBytes { buffer in
                var index = 0
                while index < buffer.count {
                    switch mask.match(UnsafeRawBufferPointer(rebasing: buffer[index...]), isLast: isLast) {
                    case .whole(let count):
                        shown += SecretMask.replacement
                        index += count
                    case .undecided: return index
                    case .none:
                        shown.append(buffer[index])
                        index += 1
                    }
                }
                return index
            }
            pending.removeFirst(used)
            return shown
        }
    }
}
