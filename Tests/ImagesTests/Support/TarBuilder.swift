/// Writes tar archives header by header, also such as no tool would write.
struct TarBuilder {
    private(set) var bytes: [UInt8] = []

    enum Kind: Character {
        case file = "0"
        case hardLink = "1"
        case symlink = "2"
        case characterDevice = "3"
        case blockDevice = "4"
        case directory = "5"
        case fifo = "6"
        case pax = "x"
    }

    /// Adds an entry.
    ///
    /// - Parameters:
    ///   - size: What its header says; `nil` for the size of the data.
    ///   - pax: Records of an extended header before it.
    mutating func add(
        _ name: String, _ kind: Kind = .file, data: [UInt8] = [], link: String = "", mode: Int = 0o644, uid: Int = 0,
        gid: Int = 0, time: Int = 1_700_000_000, device: (major: Int, minor: Int) = (0, 0), size: Int? = nil,
        pax: [(String, [UInt8])] = []
    ) {
        if !pax.isEmpty {
            var records: [UInt8] = []
            for (key, value) in pax { records += Self.record(key, value) }
            append("PaxHeader", .pax, records, "", 0o644, 0, 0, 0, (0, 0), nil)
        }
        append(name, kind, data, link, mode, uid, gid, time, device, size)
    }

    /// Adds what says that this is all.
    func finished() -> [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    /// `length key=value\n`, where the length counts itself.
    static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [0x0A]
        var length = rest.count + 1
        while String(length).utf8.count + rest.count != length { length = String(length).utf8.count + rest.count }
        return Array(String(length).utf8) + rest
    }

    private mutating func append(
        _ name: String, _ kind: Kind, _ data: [UInt8], _ link: String, _ mode: Int, _ uid: Int, _ gid: Int, _ time: Int,
        _ device: (major: Int, minor: Int), _ size: Int?
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: [UInt8], _ offset: Int) {
            for (index, byte) in bytes.enumerated() { header[offset + index] = byte }
        }
        func octal(_ number: Int, _ width: Int, _ offset: Int) {
            let digits = String(number, radix: 8)
            put(Array((String(repeating: "0", count: max(0, width - 1 - digits.count)) + digits).utf8), offset)
        }
        put(Array(Array(name.utf8).prefix(100)), 0)
        octal(mode, 8, 100)
        octal(uid, 8, 108)
        octal(gid, 8, 116)
        octal(size ?? data.count, 12, 124)
        octal(time, 12, 136)
        header[156] = kind.rawValue.asciiValue!
        put(Array(Array(link.utf8).prefix(100)), 157)
        put(Array("ustar\u{0}00".utf8), 257)
        octal(device.major, 8, 329)
        octal(device.minor, 8, 337)
        put([UInt8](repeating: 0x20, count: 8), 148)
        let sum = header.reduce(0) { $0 + Int($1) }
        octal(sum, 7, 148)
        bytes += header + data + [UInt8](repeating: 0, count: (512 - data.count % 512) % 512)
    }
}
