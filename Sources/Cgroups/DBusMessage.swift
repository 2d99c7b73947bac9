/// What went wrong between this process and a D-Bus peer.
struct DBusError: Error, CustomStringConvertible {
    /// The peer's name for the error: `org.freedesktop.systemd1.UnitExists`.
    var name: String?
    var description: String
    /// Whether nobody listens at the address, so that another may be tried.
    var isNotThere = false

    init(_ description: String, name: String? = nil, isNotThere: Bool = false) {
        self.description = description
        self.name = name
        self.isNotThere = isNotThere
    }
}

/// Puts values into the wire format, little-endian, each aligned to its size.
///
/// - Note: D-Bus Specification, "Marshaling (Wire Format)".
struct DBusWriter {
    private(set) var bytes: [UInt8] = []

    mutating func align(_ size: Int) {
        while bytes.count % size != 0 { bytes.append(0) }
    }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func uint32(_ value: UInt32) {
        align(4)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func uint64(_ value: UInt64) {
        align(8)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A string or an object path.
    mutating func string(_ value: String) {
        uint32(UInt32(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
        bytes.append(0)
    }

    mutating func signature(_ value: String) {
        bytes.append(UInt8(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
        bytes.append(0)
    }

    /// An array, whose length counts from its first element, behind the padding.
    mutating func array(alignment: Int, _ elements: (inout DBusWriter) -> Void) {
        uint32(0)
        let length = bytes.count - 4
        align(alignment)
        let start = bytes.count
        elements(&self)
        withUnsafeBytes(of: UInt32(bytes.count - start).littleEndian) {
            bytes.replaceSubrange(length..<length + 4, with: $0)
        }
    }

    mutating func append(_ other: [UInt8]) { bytes.append(contentsOf: other) }
}

/// Takes values out of the wire format; what does not fit is an error, never a crash.
struct DBusReader {
    private let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset >= bytes.count }

    mutating func align(_ size: Int) { offset = (offset + size - 1) / size * size }

    mutating func byte() throws(DBusError) -> UInt8 {
        guard offset < bytes.count else { throw DBusError("a D-Bus message ends too early") }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func uint32() throws(DBusError) -> UInt32 {
        align(4)
        guard offset + 4 <= bytes.count else { throw DBusError("a D-Bus message ends too early") }
        defer { offset += 4 }
        return bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// A string or an object path.
    mutating func string() throws(DBusError) -> String { try text(Int(uint32())) }

    mutating func signature() throws(DBusError) -> String { try text(Int(byte())) }

    private mutating func text(_ length: Int) throws(DBusError) -> String {
        guard length < bytes.count - offset else { throw DBusError("a D-Bus message ends too early") }
        defer { offset += length + 1 }
        return String(decoding: bytes[offset..<offset + length], as: UTF8.self)
    }
}

/// One message, with as much of its header as a caller of methods needs.
///
/// - Note: D-Bus Specification, "Message Format".
struct DBusMessage: Equatable {
    enum Kind: UInt8 {
        case call = 1
        case reply, error, signal
    }

    var kind: Kind
    var serial: UInt32
    var replySerial: UInt32?
    var path: String?
    var interface: String?
    var member: String?
    var errorName: String?
    var destination: String?
    var signature: String?
    var body: [UInt8] = []

    /// The length of the fixed part at the start.
    static let prefix = 16
    /// Far more than systemd sends to those who start a unit.
    static let largest = 1 << 20

    func encoded() -> [UInt8] {
        var writer = DBusWriter()
        writer.byte(UInt8(ascii: "l"))
        writer.byte(kind.rawValue)
        writer.byte(0)
        writer.byte(1)
        writer.uint32(UInt32(body.count))
        writer.uint32(serial)
        writer.array(alignment: 8) { fields in
            let texts: [(UInt8, String, String?)] = [
                (1, "o", path), (2, "s", interface), (3, "s", member), (4, "s", errorName), (6, "s", destination),
            ]
            for (code, type, value) in texts {
                guard let value else { continue }
                fields.align(8)
                fields.byte(code)
                fields.signature(type)
                fields.string(value)
            }
            if let replySerial {
                fields.align(8)
                fields.byte(5)
                fields.signature("u")
                fields.uint32(replySerial)
            }
            if let signature {
                fields.align(8)
                fields.byte(8)
                fields.signature("g")
                fields.signature(signature)
            }
        }
        writer.align(8)
        writer.append(body)
        return writer.bytes
    }

    /// How long the whole message is that starts with these bytes; `nil` with fewer than `prefix` of them.
    static func length(of bytes: ArraySlice<UInt8>) throws(DBusError) -> Int? {
        guard bytes.count >= prefix else { return nil }
        var reader = DBusReader(Array(bytes.prefix(prefix)))
        guard try reader.byte() == UInt8(ascii: "l") else { throw DBusError("a D-Bus message in another byte order") }
        _ = try reader.uint32()  // aligned: from byte 4, the body's length
        let lengths = DBusReader.lengths(bytes)
        let total = prefix + (lengths.fields + 7) / 8 * 8 + lengths.body
        guard total <= largest else { throw DBusError("a D-Bus message of \(total) bytes is too large") }
        return total
    }

    /// Decodes a whole message.
    init(_ bytes: ArraySlice<UInt8>) throws(DBusError) {
        let lengths = DBusReader.lengths(bytes)
        var reader = DBusReader(Array(bytes))
        _ = try reader.byte()
        guard let kind = Kind(rawValue: try reader.byte()) else {
            throw DBusError("a D-Bus message of an unknown kind")
        }
        _ = try reader.uint32()
        self.init(kind: kind, serial: try reader.uint32())
        let end = Self.prefix + lengths.fields
        _ = try reader.uint32()
        while reader.offset < end {
            reader.align(8)
            try decodeField(&reader)
        }
        guard bytes.count >= lengths.body else { throw DBusError("a D-Bus message ends too early") }
        body = Array(bytes.suffix(lengths.body))
    }

    private init(kind: Kind, serial: UInt32) {
        self.kind = kind
        self.serial = serial
    }

    init(call member: String, of interface: String, at path: String, to destination: String?, serial: UInt32) {
        self.init(kind: .call, serial: serial)
        self.member = member
        self.interface = interface
        self.path = path
        self.destination = destination
    }

    private mutating func decodeField(_ reader: inout DBusReader) throws(DBusError) {
        let code = try reader.byte()
        switch (code, try reader.signature()) {
        case (1, "o"): path = try reader.string()
        case (2, "s"): interface = try reader.string()
        case (3, "s"): member = try reader.string()
        case (4, "s"): errorName = try reader.string()
        case (5, "u"): replySerial = try reader.uint32()
        case (6, "s"): destination = try reader.string()
        case (8, "g"): signature = try reader.signature()
        case (_, "s"), (_, "o"): _ = try reader.string()
        case (_, "u"): _ = try reader.uint32()
        case (_, "g"): _ = try reader.signature()
        default: throw DBusError("a D-Bus message with an unknown header field")
        }
    }
}

extension DBusReader {
    /// The lengths in a message's fixed part: of the body at byte 4, of the header's fields at byte 12.
    fileprivate static func lengths(_ bytes: ArraySlice<UInt8>) -> (body: Int, fields: Int) {
        func number(_ offset: Int) -> Int {
            let start = bytes.startIndex + offset
            return bytes[start..<start + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        return (number(4), number(12))
    }
}
