import Crypto
public import Linux
public import OCI

/// What some bytes are known by: a hash of them.
///
/// - Note: OCI Image Specification, descriptor.md, "Digests".
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible, JSONValue {
    public enum Algorithm: String, Sendable, CaseIterable {
        case sha256
        case sha512

        /// How many hexadecimal digits one has.
        public var length: Int { self == .sha256 ? 64 : 128 }
    }

    public let algorithm: Algorithm
    /// In lower case, without the algorithm.
    public let hex: String

    /// - Parameter hex: As many lower-case digits as the algorithm has.
    init(_ algorithm: Algorithm = .sha256, hex: String) {
        self.algorithm = algorithm
        self.hex = hex
    }

    /// Reads `sha256:…` or `sha512:…`.
    public init(_ text: String) throws(Failure) {
        guard let digest = Self.parse(text) else {
            throw Failure(
                "read digest", text, "is not a digest",
                remedy: "give one as sha256: and 64 lower-case hexadecimal digits")
        }
        self = digest
    }

    static func parse(_ text: String) -> Digest? {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")),
            let algorithm = Algorithm(rawValue: String(text[..<colon]))
        else { return nil }
        let hex = text[text.index(after: colon)...]
        guard hex.utf8.count == algorithm.length, hex.utf8.allSatisfy(isLowerHex) else { return nil }
        return Digest(algorithm, hex: String(hex))
    }

    static func isLowerHex(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) }

    /// The SHA-256 of `bytes`.
    public static func of(_ bytes: [UInt8]) -> Digest {
        var hasher = Hasher(.sha256)
        bytes.withUnsafeBytes { hasher.update($0) }
        return hasher.finish()
    }

    public var description: String { "\(algorithm.rawValue):\(hex)" }

    /// The first twelve digits, as lists show it.
    public var short: String { String(hex.prefix(12)) }

    public static func < (one: Digest, other: Digest) -> Bool { one.description < other.description }

    package static func read(from fields: JSONFields, at place: JSONPlace) -> Digest? {
        guard let text = String.read(from: fields, at: place) else { return nil }
        guard let digest = parse(text) else {
            fields.fail(place, expected: "a digest such as sha256:9f86…")
            return nil
        }
        return digest
    }

    package func write(to fields: JSONFields) { description.write(to: fields) }
}

extension Digest {
    /// Makes a digest of what comes piece by piece.
    public struct Hasher: Sendable {
        private enum State: Sendable {
            case sha256(SHA256)
            case sha512(SHA512)
        }

        private var state: State

        public init(_ algorithm: Algorithm = .sha256) {
            state = algorithm == .sha256 ? .sha256(SHA256()) : .sha512(SHA512())
        }

        public mutating func update(_ bytes: UnsafeRawBufferPointer) {
            switch state {
            case .sha256(var hash):
                hash.update(bufferPointer: bytes)
                state = .sha256(hash)
            case .sha512(var hash):
                hash.update(bufferPointer: bytes)
                state = .sha512(hash)
            }
        }

        /// The digest of all that was given so far.
        public func finish() -> Digest {
            switch state {
            case .sha256(let hash): Digest(.sha256, hex: Self.hex(hash.finalize()))
            case .sha512(let hash): Digest(.sha512, hex: Self.hex(hash.finalize()))
            }
        }

        private static func hex(_ bytes: some Sequence<UInt8>) -> String {
            let digits = Array("0123456789abcdef".utf8)
            var text: [UInt8] = []
            text.reserveCapacity(128)
            for byte in bytes {
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
            return String(decoding: text, as: UTF8.self)
        }
    }
}
