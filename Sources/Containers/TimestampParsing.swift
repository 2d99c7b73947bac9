import CLinux
import Glibc
public import Linux

extension Timestamp {
    /// Reads a moment as `--since` and `--until` take it: `2024-05-06T07:08:09.5Z` and shorter forms in local time,
    /// seconds since 1970 such as `1715000000.25`, or how long ago, such as `10m` or `1h30m`.
    public init(parsing text: String, now: Timestamp = .now) throws(Failure) {
        if let moment = Timestamp(rfc3339: text) ?? Timestamp(seconds: text) {
            self = moment
            return
        }
        do throws(Failure) {
            let ago = UInt64(try Values.duration(text))
            self.init(nanoseconds: now.nanoseconds - min(ago, now.nanoseconds))
        } catch {
            throw Failure(
                "", "'\(text)'", "not a time", remedy: "give one such as 2024-05-06T07:08:09Z, 1715000000 or 10m")
        }
    }

    /// Reads `2024-05-06`, `2024-05-06T07:08`, `…:09`, `…:09.123456789`, with `Z`, `+02:00` or, for local time, nothing.
    public init?(rfc3339 text: String) {
        var scanner = DigitScanner(rest: Array(text.utf8)[...])
        guard let year = scanner.number(4), scanner.take("-"), let month = scanner.number(2), scanner.take("-"),
            let day = scanner.number(2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var fields = tm()
        fields.tm_year = CInt(year) - 1900
        fields.tm_mon = CInt(month) - 1
        fields.tm_mday = CInt(day)
        fields.tm_isdst = -1
        guard let fraction = Self.readTime(&scanner, &fields), let zone = scanner.zone() else { return nil }
        let seconds =
            switch zone {
            case .local: mktime(&fields)
            case .offset(let seconds): timegm(&fields) - seconds
            }
        guard seconds >= 0 else { return nil }
        self.init(nanoseconds: UInt64(seconds) * 1_000_000_000 + fraction)
    }

    /// - Returns: Nanoseconds of the second; `nil` for what is no time.
    private static func readTime(_ scanner: inout DigitScanner, _ fields: inout tm) -> UInt64? {
        guard scanner.take("T") else { return 0 }
        guard let hour = scanner.number(2), hour < 24, scanner.take(":"), let minute = scanner.number(2), minute < 60
        else { return nil }
        (fields.tm_hour, fields.tm_min) = (CInt(hour), CInt(minute))
        guard scanner.take(":") else { return 0 }
        guard let second = scanner.number(2), second <= 60 else { return nil }
        fields.tm_sec = CInt(second)
        return scanner.take(".") ? scanner.fraction() : 0
    }

    /// Reads seconds since 1970, maybe with a fraction.
    private init?(seconds text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = UInt64(Substring(parts[0])), whole < 1 << 33 else { return nil }
        var scanner = DigitScanner(rest: parts.count == 2 ? Array(parts[1])[...] : [])
        guard let fraction = parts.count == 2 ? scanner.fraction() : 0, scanner.rest.isEmpty else { return nil }
        self.init(nanoseconds: whole * 1_000_000_000 + fraction)
    }
}

private struct DigitScanner {
    var rest: ArraySlice<UInt8>

    enum Zone {
        case local
        /// East of Greenwich.
        case offset(seconds: Int)
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// A number with exactly so many digits.
    mutating func number(_ digits: Int) -> Int? {
        let text = rest.prefix(digits)
        guard text.count == digits, text.allSatisfy(Values.isDigit) else { return nil }
        rest = rest.dropFirst(digits)
        return text.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// Digits after a point, in billionths; those beyond nine are dropped.
    mutating func fraction() -> UInt64? {
        let digits = rest.prefix { Values.isDigit($0) }
        guard !digits.isEmpty else { return nil }
        rest = rest[digits.endIndex...]
        let nine = digits.prefix(9).reduce(UInt64(0)) { $0 * 10 + UInt64($1 - 0x30) }
        return (min(digits.count, 9)..<9).reduce(nine) { number, _ in number * 10 }
    }

    /// What is left: a time zone or nothing.
    mutating func zone() -> Zone? {
        if rest.isEmpty { return .local }
        if take("Z") { return rest.isEmpty ? .offset(seconds: 0) : nil }
        let sign = take("+") ? 1 : take("-") ? -1 : 0
        guard sign != 0, let hours = number(2), take(":"), let minutes = number(2), rest.isEmpty else { return nil }
        return .offset(seconds: sign * (hours * 3600 + minutes * 60))
    }
}
