import Glibc
public import Linux
public import OCI
import SystemPackage

/// Compiled filters on disk, so that only the first container with a profile pays for compiling it.
///
/// A file that is damaged, or that another user could have written, is compiled anew; a directory that cannot be
/// written to costs time and nothing else.
public struct SeccompCache: Sendable {
    private let directory: String

    /// The most programs that are kept. Each change of a profile leaves one behind: beyond this all go, and those
    /// that are still used come back.
    private static let capacity = 64

    /// - Parameter directory: Made with the first program; `<data>/seccomp`.
    public init(directory: String) {
        self.directory = directory
    }

    /// The default filter for processes that can have `capabilities` at most.
    ///
    /// The profile itself is not even built if its program is there.
    public func defaultProgram(capabilities: CapabilitySet) throws(Failure) -> BPFProgram {
        let relevant = capabilities.intersection(SeccompDefault.relevantCapabilities)
        let key =
            "default-" + hexadecimal(SeccompDefault.version) + "-" + hexadecimal(relevant.rawValue) + Self.compiler
        return try program(key: key, source: []) { () throws(Failure) in
            try SeccompDefault.profile(capabilities: relevant).compile()
        }
    }

    /// The filter for the profile in `file`, which is only parsed if its program is not there.
    public func program(for file: SeccompFile, on machine: SeccompFile.Machine) throws(Failure) -> BPFProgram {
        let kernel = machine.kernel.map(String.init).joined(separator: ".")
        let name = "file-\(fingerprint(file.bytes))-\(hexadecimal(machine.capabilities.rawValue))-\(kernel)"
        return try program(key: name + Self.compiler, source: file.bytes) { () throws(Failure) in
            try file.profile(for: machine).compile()
        }
    }

    /// The filter for a profile that a configuration holds.
    public func program(for profile: Spec.Seccomp) throws(Failure) -> BPFProgram {
        let source = profile.json()
        return try program(key: "spec-\(fingerprint(source))" + Self.compiler, source: source) { () throws(Failure) in
            try profile.compile()
        }
    }

    /// What a program depends on beside its profile: a data directory may be shared by unlike machines.
    private static let compiler =
        "-" + SeccompDefault.nativeArchitecture + "-" + hexadecimal(SeccompFilter.libraryVersionNumber)

    /// - Parameters:
    ///   - key: The file's name.
    ///   - source: What the program was made from. The file holds it too, since two sources may have one fingerprint.
    private func program(
        key: String, source: [UInt8], compile: () throws(Failure) -> BPFProgram
    ) throws(Failure) -> BPFProgram {
        let path = directory + "/" + key
        if let program = SeccompCacheFile.read(path, source: source) { return program }
        let program = try compile()
        try? store(SeccompCacheFile.encode(program, source: source), as: key)  // `try?`: the next run compiles again
        return program
    }

    private func store(_ bytes: [UInt8], as key: String) throws(SystemCallError) {
        try FileDescriptor.workingDirectory.makeDirectories(directory, mode: 0o700)
        let folder = try FileDescriptor.workingDirectory.open(directory, O_RDONLY | O_DIRECTORY)
        defer { folder.closeQuietly() }
        let names = try folder.entries()
        if names.count >= Self.capacity { for name in names { try folder.remove(name) } }
        try folder.replaceFile(key, with: bytes, mode: 0o600)
    }
}

/// One file of the cache: a header of 32 bytes, the instructions, the source. Numbers are the machine's own.
enum SeccompCacheFile {
    private static let magic: UInt64 = 0x3150_4d4f_4353_5041  // "APSCOMP1" as bytes on disk, on little-endian machines
    private static let headerSize = 32
    private static let sizeLimit = headerSize + BPFProgram.maximumCount * 8 + SeccompFile.sizeLimit

    static func encode(_ program: BPFProgram, source: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerSize + program.bytes.count + source.count)
        withUnsafeBytes(of: magic) { bytes += $0 }
        withUnsafeBytes(of: program.flags.rawValue) { bytes += $0 }
        withUnsafeBytes(of: UInt32(program.bytes.count)) { bytes += $0 }
        withUnsafeBytes(of: UInt64(source.count)) { bytes += $0 }
        withUnsafeBytes(of: checksum(program.bytes[...])) { bytes += $0 }
        return bytes + program.bytes + source
    }

    /// - Returns: `nil` for a file that is not there, not trustworthy, damaged, or made from another source.
    static func read(_ path: String, source: [UInt8]) -> BPFProgram? {
        // Whatever is wrong with the file, the caller compiles its profile and replaces it.
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        guard let file = try? FileDescriptor.workingDirectory.open(path, flags) else { return nil }  // `try?`: as said
        defer { file.closeQuietly() }
        guard let status = try? file.status(),  // `try?`: as said above
            status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_mode & 0o022 == 0,
            (headerSize...sizeLimit).contains(Int(status.st_size))
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        // One read gets all of a regular file; a file that shrank meanwhile is a damaged one.
        guard Glibc.read(file.rawValue, &bytes, bytes.count) == bytes.count else { return nil }
        return decode(bytes, source: source)
    }

    static func decode(_ bytes: [UInt8], source: [UInt8]) -> BPFProgram? {
        bytes.withUnsafeBytes { buffer in
            guard buffer.count >= headerSize, buffer.loadUnaligned(fromByteOffset: 0, as: UInt64.self) == magic else {
                return nil
            }
            let flags = SeccompFlags(rawValue: buffer.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
            let size = Int(buffer.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
            let sourceSize = buffer.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
            let sum = buffer.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
            guard sourceSize == source.count, headerSize + size + source.count == buffer.count,
                source.isEmpty
                    || source.withUnsafeBytes({
                        memcmp($0.baseAddress!, buffer.baseAddress! + headerSize + size, source.count) == 0
                    })
            else { return nil }
            let instructions = bytes[headerSize..<(headerSize + size)]
            guard checksum(instructions) == sum else { return nil }
            return try? BPFProgram(bytes: Array(instructions), flags: flags)  // `try?`: a size that is none is damage
        }
    }
}

/// FNV-1a over words of 8 bytes, the last one filled up with zeros: against damage, not against forgers.
private func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.withUnsafeBytes { buffer in
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(buffer.count)
        var offset = 0
        while offset + 8 <= buffer.count {
            hash = (hash ^ buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x100_0000_01b3
            // Without it the upper bits of a word would never reach the lower bits of the sum.
            hash ^= hash >> 32
            offset += 8
        }
        for byte in buffer[offset...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}

/// A short name for `source`. It may not be its alone, which the file's copy of the source settles.
private func fingerprint(_ source: [UInt8]) -> String {
    hexadecimal(checksum(source[...]))
}

/// `String(_:radix:)` is generic, and its first call costs more than reading a program does.
private func hexadecimal(_ number: UInt64) -> String {
    var digits: [UInt8] = []
    for shift in stride(from: 60, through: 0, by: -4) {
        let digit = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 0xf
        if digit == 0, digits.isEmpty, shift > 0 { continue }
        digits.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
    return String(decoding: digits, as: UTF8.self)
}
