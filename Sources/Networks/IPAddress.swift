import Glibc
public import OCI

/// An IPv4 or IPv6 address.
public struct IPAddress: RawRepresentable, JSONValue, Sendable, Hashable {
    public let isIPv6: Bool
    /// As a number: 32 bits for IPv4.
    public let value: UInt128

    public init(isIPv6: Bool, value: UInt128) {
        self.isIPv6 = isIPv6
        self.value = value
    }

    /// - Parameter bytes: 4 or 16, the first one first.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.init(isIPv6: bytes.count == 16, value: bytes.reduce(0) { $0 << 8 | UInt128($1) })
    }

    /// - Parameter text: As inet_pton(3) reads it, without brackets.
    public init?(_ text: String) {
        let bytes = withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { buffer -> [UInt8]? in
            if inet_pton(AF_INET, text, buffer.baseAddress) == 1 { return Array(buffer[..<4]) }
            return inet_pton(AF_INET6, text, buffer.baseAddress) == 1 ? Array(buffer) : nil
        }
        guard let bytes else { return nil }
        self.init(bytes: bytes)
    }

    public init?(rawValue: String) { self.init(rawValue) }
    public var rawValue: String { text }

    /// How many bits it has.
    public var width: Int { isIPv6 ? 128 : 32 }

    /// 4 bytes or 16, the first one first.
    public var bytes: [UInt8] {
        stride(from: width - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt128($0)) }
    }

    /// As people write it.
    public var text: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            bytes.withUnsafeBytes { bytes in
                _ = inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes.baseAddress, buffer.baseAddress, 64)
            }
            return String(cString: buffer.baseAddress!)
        }
    }

    /// In brackets if it is IPv6, so that a port can follow.
    public var textBeforePort: String { isIPv6 ? "[\(text)]" : text }

    /// Whether it means this machine itself, to whoever uses it.
    public var isLoopback: Bool { isIPv6 ? value == 1 : value >> 24 == 127 }

    /// Whether it stands for every address.
    public var isUnspecified: Bool { value == 0 }

    /// Not to be a host's: several hosts have it (224.0.0.0/4, ff00::/8).
    public var isMulticast: Bool { isIPv6 ? value >> 120 == 0xff : value >> 28 == 0xe }

    public func advanced(by count: UInt128) -> IPAddress { IPAddress(isIPv6: isIPv6, value: value &+ count) }
}

/// A range of addresses that have their first bits in common.
public struct Subnet: RawRepresentable, JSONValue, Sendable, Hashable {
    /// Its lowest address.
    public let address: IPAddress
    /// How many bits they have in common.
    public let prefix: Int

    /// - Parameter address: Any of its addresses.
    public init?(_ address: IPAddress, prefix: Int) {
        guard 0...address.width ~= prefix else { return nil }
        self.address = IPAddress(isIPv6: address.isIPv6, value: address.value & Self.mask(prefix, address.width))
        self.prefix = prefix
    }

    /// - Parameter text: `10.1.0.0/16`, `fd00::/64`.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])), parts[1].utf8.count <= 3,
            parts[1].utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let prefix = Int(parts[1])
        else { return nil }
        self.init(address, prefix: prefix)
    }

    public init?(rawValue: String) { self.init(rawValue) }
    public var rawValue: String { text }

    public var text: String { "\(address.text)/\(prefix)" }
    public var isIPv6: Bool { address.isIPv6 }

    /// Its highest address: that of a broadcast, in IPv4.
    public var last: IPAddress {
        IPAddress(isIPv6: isIPv6, value: address.value | (Self.all(address.width) ^ Self.mask(prefix, address.width)))
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.isIPv6 == isIPv6 && other.value & Self.mask(prefix, address.width) == address.value
    }

    public func overlaps(_ other: Subnet) -> Bool { contains(other.address) || other.contains(address) }

    private static func all(_ width: Int) -> UInt128 { width == 128 ? .max : (1 << UInt128(width)) - 1 }

    private static func mask(_ prefix: Int, _ width: Int) -> UInt128 {
        prefix == 0 ? 0 : all(width) & ~(prefix == width ? 0 : (1 << UInt128(width - prefix)) - 1)
    }
}

/// The address of a network card.
public struct HardwareAddress: RawRepresentable, JSONValue, Sendable, Hashable {
    /// Six.
    public let bytes: [UInt8]

    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// One that follows from an IPv4 address, as Docker's older ones do: whoever gets the address again has the same.
    public init(for address: IPAddress) {
        bytes = [0x02, 0x42] + address.bytes.suffix(4)
    }

    /// - Parameter text: `02:42:0a:00:00:02`, or with dashes; that of one card.
    public init?(rawValue text: String) {
        let parts = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "-" }
        let bytes = parts.compactMap { $0.utf8.count == 2 ? UInt8($0, radix: 16) : nil }
        guard parts.count == 6, bytes.count == 6, bytes[0] & 1 == 0, bytes.contains(where: { $0 != 0 }) else {
            return nil
        }
        self.bytes = bytes
    }

    public var rawValue: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}
