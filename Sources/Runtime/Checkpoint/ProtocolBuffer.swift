/// A message of Protocol Buffers that is being written.
///
/// - Note: protobuf.dev, "Encoding": a field is its number and its kind, then its value.
struct ProtocolBuffer: Sendable {
    private(set) var bytes: [UInt8] = []

    fileprivate static let varint: UInt64 = 0
    fileprivate static let delimited: UInt64 = 2

    /// A negative number takes all ten bytes, also where the field has 32 bits.
    mutating func add(_ field: UInt64, _ number: Int64) {
        put(field << 3 | Self.varint)
        put(UInt64(bitPattern: number))
    }

    mutating func add(_ field: UInt64, _ flag: Bool) { add(field, flag ? 1 : 0) }

    mutating func add(_ field: UInt64, _ text: String) { add(field, Array(text.utf8)) }

    mutating func add(_ field: UInt64, _ message: ProtocolBuffer) { add(field, message.bytes) }

    private mutating func add(_ field: UInt64, _ content: [UInt8]) {
        put(field << 3 | Self.delimited)
        put(UInt64(content.count))
        bytes += content
    }

    private mutating func put(_ number: UInt64) {
        var rest = number
        while rest > 0x7f {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

/// The fields of a message of Protocol Buffers that was received.
struct ProtocolFields {
    private var numbers: [(field: UInt64, value: UInt64)] = []
    private var contents: [(field: UInt64, value: ArraySlice<UInt8>)] = []

    /// - Returns: `nil` for what is no such message.
    init?(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while !rest.isEmpty {
            guard let key = Self.takeNumber(&rest) else { return nil }
            switch key & 7 {
            case ProtocolBuffer.varint:
                guard let value = Self.takeNumber(&rest) else { return nil }
                numbers.append((key >> 3, value))
            case ProtocolBuffer.delimited:
                guard let count = Self.takeNumber(&rest), count <= rest.count else { return nil }
                contents.append((key >> 3, rest.prefix(Int(count))))
                rest = rest.dropFirst(Int(count))
            case 1, 5:  // fixed sizes, which no field has that is looked for
                let size = key & 7 == 1 ? 8 : 4
                guard rest.count >= size else { return nil }
                rest = rest.dropFirst(size)
            default: return nil
            }
        }
    }

    /// The last value of a field: that is the one that counts.
    func number(_ field: UInt64) -> Int64? {
        numbers.last { $0.field == field }.map { Int64(bitPattern: $0.value) }
    }

    func text(_ field: UInt64) -> String? {
        contents.last { $0.field == field }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    func message(_ field: UInt64) -> ProtocolFields? {
        contents.last { $0.field == field }.flatMap { ProtocolFields($0.value) }
    }

    private static func takeNumber(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            number |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return number }
        }
        return nil
    }
}
