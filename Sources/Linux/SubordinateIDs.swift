import Glibc
import SystemPackage

/// Consecutive user or group IDs of the host.
public struct IDRange: Sendable, Hashable {
    /// The lowest ID.
    public var first: UInt32
    /// How many IDs, at least 1; `first + count` is at most 4294967295.
    public var count: UInt32

    public init(first: UInt32, count: UInt32) {
        self.first = first
        self.count = count
    }
}

/// The IDs that an ordinary user may map into user namespaces, beside their own.
///
/// - Note: subuid(5), subgid(5).
public enum SubordinateIDs {
    /// The most bytes that are read of such a file: room for some 500,000 users.
    static let sizeLimit = 16 << 20

    /// The ranges that the file at `path` gives to a user, in its order.
    ///
    /// - Parameters:
    ///   - path: `/etc/subuid` or `/etc/subgid`.
    ///   - user: The login name; empty when it has none.
    ///   - uid: The user ID, which such a file may have in the name's place (in `/etc/subgid` too).
    /// - Returns: Nothing when the file does not exist or has no line for this user.
    /// - Throws: `Failure` when it cannot be read, is no regular file or has more than 16 MiB.
    public static func ranges(in path: String, user: String, uid: UInt32) throws -> [IDRange] {
        do throws(SystemCallError) {
            let bytes = try FileDescriptor.workingDirectory.contents(of: path, limit: sizeLimit)
            return parse(bytes, user: user, uid: uid)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return []
        } catch {
            throw Failure("read subordinate IDs", "'\(path)'", error)
        }
    }

    /// The ranges of a user in the text of such a file; lines that newuidmap(1) would not take are passed over.
    public static func parse(_ text: [UInt8], user: String, uid: UInt32) -> [IDRange] {
        let owners = [Array(user.utf8), Array(String(uid).utf8)]
        var ranges: [IDRange] = []
        forEachRecord(in: text, fields: 3) { fields in
            guard owners.contains(where: { !$0.isEmpty && fields[0].elementsEqual($0) }),
                let first = UInt32(digits: fields[1]), let count = UInt32(digits: fields[2]),
                count > 0, !first.addingReportingOverflow(count).overflow
            else { return }
            ranges.append(IDRange(first: first, count: count))
        }
        return ranges
    }
}

/// Calls `body` with the fields of each line that has at least `fields` of them, as passwd(5) separates them.
///
/// One pass and one array: an image may have hundreds of users, and this is on the path of every run.
func forEachRecord(in text: [UInt8], fields: Int, _ body: ([ArraySlice<UInt8>]) -> Void) {
    var parts: [ArraySlice<UInt8>] = []
    var start = 0
    for index in 0...text.count {
        let isEnd = index == text.count || text[index] == UInt8(ascii: "\n")
        guard isEnd || text[index] == UInt8(ascii: ":") else { continue }
        parts.append(text[start..<index])
        start = index + 1
        guard isEnd else { continue }
        if parts.count >= fields { body(parts) }
        parts.removeAll(keepingCapacity: true)
    }
}

extension UInt32 {
    /// A decimal number without a sign; `nil` for anything else and beyond 32 bits.
    init?(digits: some Collection<UInt8>) {
        guard !digits.isEmpty else { return nil }
        var value: UInt32 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let tens = value.multipliedReportingOverflow(by: 10)
            let sum = tens.partialValue.addingReportingOverflow(UInt32(digit - UInt8(ascii: "0")))
            guard !tens.overflow, !sum.overflow else { return nil }
            value = sum.partialValue
        }
        self = value
    }
}
