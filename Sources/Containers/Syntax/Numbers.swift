public import Linux

/// Values of flags: each parser throws a `Failure` whose step is left empty for the flag's name.
public enum Values {
    /// A failure over a value whose flag the caller fills in.
    public static func failure(_ text: String, _ reason: String, remedy: String? = nil) -> Failure {
        Failure("", "'\(text)'", reason, remedy: remedy)
    }

    /// Reads a whole number in a range.
    public static func integer<T: FixedWidthInteger>(
        _ text: String, in range: ClosedRange<T>
    ) throws(Failure) -> T {
        // The standard library would also take a leading plus.
        guard text.utf8.first != UInt8(ascii: "+"), let number = T(text) else {
            throw failure(text, isNumber(text) ? "out of range" : "not a whole number", remedy: between(range))
        }
        guard range.contains(number) else { throw failure(text, "out of range", remedy: between(range)) }
        return number
    }

    private static func between<T: FixedWidthInteger>(_ range: ClosedRange<T>) -> String {
        range.upperBound == T.max
            ? "give a number from \(range.lowerBound)" : "give a number from \(range.lowerBound) to \(range.upperBound)"
    }

    private static func isNumber(_ text: String) -> Bool {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        return !digits.isEmpty && digits.allSatisfy(isDigit)
    }

    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// A number with or without a fraction, and nothing else that `Double` would take (`inf`, `0x1`, `1e9`).
    static func decimal(_ text: Substring) -> Double? {
        guard let first = text.utf8.first, isDigit(first) || first == UInt8(ascii: "."),
            text.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") })
        else { return nil }
        return Double(text)
    }

    /// Reads what Go's `strconv.ParseBool` reads.
    public static func boolean(_ text: String) throws(Failure) -> Bool {
        switch text {
        case "1", "t", "T", "true", "True", "TRUE": true
        case "0", "f", "F", "false", "False", "FALSE": false
        default: throw failure(text, "neither true nor false")
        }
    }

    /// Reads a size: `512`, `100b`, `512k`, `4m`, `1.5g`, `1gib`, `1 GB`; units are powers of 1024, as in Docker.
    ///
    /// - Returns: Bytes.
    public static func size(_ text: String) throws(Failure) -> Int64 {
        let remedy = "give a size such as 512k, 256m or 1.5g"
        let end = text.utf8.firstIndex { !isDigit($0) && $0 != UInt8(ascii: ".") } ?? text.endIndex
        guard let number = decimal(text[..<end]), let unit = unit(text[end...]) else {
            throw failure(text, text.utf8.first == UInt8(ascii: "-") ? "a negative size" : "not a size", remedy: remedy)
        }
        let bytes = number * Double(unit)
        guard bytes < 0x1p63 else { throw failure(text, "larger than any size can be", remedy: remedy) }
        return Int64(bytes)
    }

    /// Reads a size, or -1 for no limit.
    public static func sizeOrUnlimited(_ text: String) throws(Failure) -> Int64 {
        text == "-1" ? -1 : try size(text)
    }

    /// Reads a size of at least one byte.
    public static func positiveSize(_ text: String) throws(Failure) -> Int64 {
        let bytes = try size(text)
        guard bytes > 0 else { throw failure(text, "must be more than 0") }
        return bytes
    }

    /// Reads a memory limit. With less than 256 KiB the kernel cannot even set a container up inside it.
    public static func memoryLimit(_ text: String) throws(Failure) -> Int64 {
        let bytes = try positiveSize(text)
        guard bytes >= 256 << 10 else {
            throw failure(text, "less than a container can start in", remedy: "give at least 256k")
        }
        return bytes
    }

    private static func unit(_ text: Substring) -> Int64? {
        var letters = Array(text.utf8.drop { $0 == UInt8(ascii: " ") }).map { $0 | 0x20 }  // lower case
        if letters.isEmpty || letters == [UInt8(ascii: "b")] { return 1 }
        let prefix = letters.removeFirst()
        guard letters.isEmpty || letters == Array("b".utf8) || letters == Array("ib".utf8),
            let power = Array("kmgtp".utf8).firstIndex(of: prefix)
        else { return nil }
        return 1 << (10 * (power + 1))
    }

    /// Reads a number of CPUs, such as `1.5`.
    ///
    /// - Returns: Billionths of a CPU, at least 0.01 CPU.
    public static func nanoCPUs(_ text: String) throws(Failure) -> Int64 {
        guard let number = decimal(text[...]), number <= 1_000_000 else {
            throw failure(
                text, text.utf8.first == UInt8(ascii: "-") ? "a negative number of CPUs" : "not a number of CPUs",
                remedy: "give a number such as 0.5 or 2")
        }
        guard number >= 0.01 else { throw failure(text, "less than the kernel accepts", remedy: "give at least 0.01") }
        return Int64((number * 1e9).rounded())
    }

    /// Reads a duration: `10s`, `1m30s`, `1.5h`, `500ms`; a plain number is in seconds.
    ///
    /// - Returns: Nanoseconds, 0 or more.
    public static func duration(_ text: String) throws(Failure) -> Int64 {
        let remedy = "give a duration such as 10s or 1m30s"
        var rest = text[...]
        var total = 0.0
        repeat {
            let numberEnd = rest.utf8.firstIndex { !isDigit($0) && $0 != UInt8(ascii: ".") } ?? rest.endIndex
            let unitEnd = rest[numberEnd...].utf8.firstIndex { isDigit($0) || $0 == UInt8(ascii: ".") } ?? rest.endIndex
            guard let number = decimal(rest[..<numberEnd]) else {
                throw failure(text, "not a duration", remedy: remedy)
            }
            switch rest[numberEnd..<unitEnd] {
            case "" where rest.startIndex == text.startIndex && numberEnd == rest.endIndex: total = number * 1e9
            case "ns": total += number
            case "us", "µs": total += number * 1e3
            case "ms": total += number * 1e6
            case "s": total += number * 1e9
            case "m": total += number * 60e9
            case "h": total += number * 3600e9
            default: throw failure(text, "not a duration", remedy: remedy)
            }
            rest = rest[unitEnd...]
        } while !rest.isEmpty
        guard total < 0x1p63 else { throw failure(text, "longer than any duration can be", remedy: remedy) }
        return Int64(total)
    }

    /// Reads a file mode creation mask in octal.
    public static func umask(_ text: String) throws(Failure) -> UInt32 {
        guard let mask = UInt32(text, radix: 8), mask <= 0o777 else {
            throw failure(text, "not a mask", remedy: "give an octal number from 0 to 0777")
        }
        return mask
    }

    /// Reads permission bits in octal.
    public static func mode(_ text: String) throws(Failure) -> UInt32 {
        guard let mode = UInt32(text, radix: 8), mode <= 0o777 else {
            throw failure(text, "not a mode", remedy: "give an octal number from 0 to 0777")
        }
        return mode
    }

    /// Reads a signal, by name or number.
    public static func signal(_ text: String) throws(Failure) -> Signal {
        do {
            return try Signal(parsing: text)
        } catch {
            throw failure(text, error.reason, remedy: error.remedy)
        }
    }

    /// Reads a list of CPUs or memory nodes, such as `0-3,7`.
    public static func cpuList(_ text: String) throws(Failure) -> String {
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt32($0) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], first <= last else {
                throw failure(text, "not a list of numbers", remedy: "give one such as 0-3,7")
            }
        }
        return text
    }
}
