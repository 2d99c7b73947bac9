import CLinux
import Glibc
public import OCI

/// A moment, as records keep it and as Docker writes it.
public struct Timestamp: JSONValue, Sendable, Hashable, Comparable {
    /// Nanoseconds since 1970-01-01 in UTC.
    public let nanoseconds: UInt64

    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// Now.
    public static var now: Timestamp { Timestamp(nanoseconds: Clock.wall()) }

    public static func < (one: Timestamp, other: Timestamp) -> Bool { one.nanoseconds < other.nanoseconds }

    package static func read(from fields: JSONFields, at place: JSONPlace) -> Timestamp? {
        fields.uint64(at: place).map { Timestamp(nanoseconds: $0) }
    }

    package func write(to fields: JSONFields) { fields.write(nanoseconds) }

    /// RFC 3339 with nanoseconds and `Z`, as in `2024-05-06T07:08:09.123456789Z`.
    public var rfc3339: String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        let fraction = String(nanoseconds % 1_000_000_000)
        return "\(fields.tm_year + 1900)-\(Self.two(fields.tm_mon + 1))-\(Self.two(fields.tm_mday))"
            + "T\(Self.two(fields.tm_hour)):\(Self.two(fields.tm_min)):\(Self.two(fields.tm_sec))"
            + ".\(String(repeating: "0", count: 9 - fraction.count))\(fraction)Z"
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// How long ago it is, in Docker's words: `5 minutes`, `About an hour`, `3 weeks`.
    public var age: String { Self.humanDuration(seconds: Clock.wall() / 1_000_000_000 &- nanoseconds / 1_000_000_000) }

    /// A span of time in Docker's words.
    public static func humanDuration(seconds: UInt64) -> String {
        switch seconds {
        case 0: "Less than a second"
        case 1: "1 second"
        case 2..<60: "\(seconds) seconds"
        case 60..<120: "About a minute"
        case 120..<3600: "\(seconds / 60) minutes"
        case 3600..<7200: "About an hour"
        case 7200..<172_800: "\(seconds / 3600) hours"
        case 172_800..<1_209_600: "\(seconds / 86_400) days"
        case 1_209_600..<5_184_000: "\(seconds / 604_800) weeks"
        case 5_184_000..<63_072_000: "\(seconds / 2_592_000) months"
        default: "\(seconds / 31_536_000) years"
        }
    }
}
