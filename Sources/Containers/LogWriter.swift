import CLinux
import Glibc
import Linux
import SystemPackage

/// Writes a container's output as Docker's json-file driver does: one JSON object a line, rotated by size.
///
///     {"log":"hello\n","stream":"stdout","time":"2024-05-06T07:08:09.123456789Z"}
final class LogWriter {
    /// How large the log may grow, and how many old files are kept.
    struct Rotation {
        /// In bytes; `nil` never rotates.
        var maximumSize: Int?
        /// Files in all, the current one included; at least 1.
        var maximumFiles = 1
    }

    private let directory: FileDescriptor
    private let rotation: Rotation
    private var file: FileDescriptor
    private var size: Int
    /// What each stream has sent since its last newline.
    private var partial: [StreamName: [UInt8]] = [:]

    /// The most bytes of a line that are kept back for its end; a longer line is written in parts, as Docker does.
    private static let lineLimit = 16 << 10

    enum StreamName: String { case stdout, stderr }

    init(directory: FileDescriptor, rotation: Rotation) throws(SystemCallError) {
        self.directory = directory
        self.rotation = rotation
        file = try Self.open(directory)
        size = Int(try file.status().st_size)
    }

    private static func open(_ directory: FileDescriptor) throws(SystemCallError) -> FileDescriptor {
        try directory.open("log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o640)
    }

    /// Takes what a stream wrote; whole lines are in the file when this returns.
    func write(_ bytes: ArraySlice<UInt8>, from stream: StreamName) throws(SystemCallError) {
        var pending = partial[stream, default: []]
        pending.append(contentsOf: bytes)
        var entries: [UInt8] = []
        var rest = pending[...]
        while let newline = rest.firstIndex(of: 0x0a) {
            append(rest[...newline], stream, to: &entries)
            rest = rest[(newline + 1)...]
        }
        while rest.count >= Self.lineLimit {
            append(rest.prefix(Self.lineLimit), stream, to: &entries)
            rest = rest.dropFirst(Self.lineLimit)
        }
        partial[stream] = Array(rest)
        try put(entries)
    }

    /// Writes the lines that never got a newline, and closes the file.
    func finish() throws(SystemCallError) {
        var entries: [UInt8] = []
        for (stream, bytes) in partial where !bytes.isEmpty { append(bytes[...], stream, to: &entries) }
        partial = [:]
        try put(entries)
        file.closeQuietly()
    }

    private func append(_ line: ArraySlice<UInt8>, _ stream: StreamName, to entries: inout [UInt8]) {
        entries += "{\"log\":\"".utf8
        LogEscape.append(line, to: &entries)
        entries += "\",\"stream\":\"\(stream.rawValue)\",\"time\":\"\(Timestamp.now.rfc3339)\"}\n".utf8
    }

    /// Writes whole lines, and goes on in a new file where the next would be more than a file may hold.
    private func put(_ entries: [UInt8]) throws(SystemCallError) {
        var rest = entries[...]
        while !rest.isEmpty {
            let room = max(0, (rotation.maximumSize ?? .max) - size)
            var end = rest.prefix(room).lastIndex(of: 0x0a)
            if end == nil, size > 0 {
                try rotate()
                continue
            }
            if end == nil { end = rest.firstIndex(of: 0x0a) }  // a line that no file has room for gets its own
            let lines = rest[...(end ?? rest.endIndex - 1)]
            try file.writeFully(lines)
            size += lines.count
            rest = rest[lines.endIndex...]
        }
    }

    /// `log` becomes `log.1`, `log.1` becomes `log.2`, and so on; the oldest is dropped.
    private func rotate() throws(SystemCallError) {
        let oldest = rotation.maximumFiles - 1
        if oldest == 0 {
            try check("ftruncate", "log") { ftruncate(file.rawValue, 0) }
        } else {
            for number in stride(from: oldest - 1, through: 0, by: -1) {
                let from = number == 0 ? "log" : "log.\(number)"
                guard directory.has(from) else { continue }
                try check("rename", from) {
                    renameat(directory.rawValue, from, directory.rawValue, "log.\(number + 1)")
                }
            }
            file.closeQuietly()
            file = try Self.open(directory)
        }
        size = 0
    }
}

/// JSON string escapes for bytes that need not be UTF-8.
enum LogEscape {
    /// Appends `bytes` as the inside of a JSON string; what is not UTF-8 becomes U+FFFD, as with Docker.
    static func append(_ bytes: ArraySlice<UInt8>, to output: inout [UInt8]) {
        let isPlain = bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c || $0 == 0x0a }
        for byte in isPlain ? bytes : Array(String(decoding: bytes, as: UTF8.self).utf8)[...] {
            switch byte {
            case 0x22: output += "\\\"".utf8
            case 0x5c: output += "\\\\".utf8
            case 0x0a: output += "\\n".utf8
            case 0x0d: output += "\\r".utf8
            case 0x09: output += "\\t".utf8
            case 0..<0x20, 0x7f:
                let digits = Array("0123456789abcdef".utf8)
                output += "\\u00".utf8
                output.append(digits[Int(byte >> 4)])
                output.append(digits[Int(byte & 15)])
            default: output.append(byte)
            }
        }
    }
}
