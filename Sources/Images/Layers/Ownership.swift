import CLinux
import Glibc
import Linux
import SystemPackage

/// What this process may do to files, which depends on whose root it is.
struct Ownership: Sendable {
    /// Whether it may give files to others: it is root, of the machine or of a user namespace with more than one ID.
    let givesAway: Bool
    /// Whether it is the machine's root, for whom overlays keep their marks in `trusted.` attributes.
    let isHostRoot: Bool

    /// This process'.
    static func current() -> Ownership {
        guard geteuid() == 0 else { return Ownership(givesAway: false, isHostRoot: false) }
        let map = FileDescriptor.contentsIfReadable(of: "/proc/self/uid_map", limit: 1 << 16) ?? []
        let lines = map.split(separator: UInt8(ascii: "\n")).map { line in
            line.split(separator: UInt8(ascii: " ")).compactMap { UInt64(String(decoding: $0, as: UTF8.self)) }
        }
        let count = lines.reduce(0) { $0 + ($1.count == 3 ? $1[2] : 0) }
        let isWhole = lines.count == 1 && lines[0] == [0, 0, 4_294_967_295]
        // Without /proc it cannot be told; then it is what root mostly is.
        return Ownership(givesAway: map.isEmpty || count > 1, isHostRoot: map.isEmpty || isWhole)
    }

    /// The attributes that make a directory hide what is below it. A user namespace's overlay looks for the one in `user.`,
    /// and may be mounted over the machine's root's layers too.
    var opaqueAttributes: [String] {
        isHostRoot ? ["trusted.overlay.opaque", "user.overlay.opaque"] : ["user.overlay.opaque"]
    }
}

/// Extended attributes by descriptor.
enum FileAttributes {
    /// Whether an image may have this one: others are the marks of overlays and of security modules.
    static func isKept(_ name: String) -> Bool {
        (name.hasPrefix("user.") && !name.hasPrefix("user.overlay.")) || name == "security.capability"
            || name == "system.posix_acl_access" || name == "system.posix_acl_default"
    }

    /// - Returns: Whether it could be set: file systems and kernels may not take it.
    static func set(_ name: String, _ value: [UInt8], on file: FileDescriptor) throws(SystemCallError) -> Bool {
        if value.withUnsafeBytes({ fsetxattr(file.rawValue, name, $0.baseAddress, $0.count, 0) }) == 0 { return true }
        let error = Errno(rawValue: errno)
        if error == .notSupported || error == .notPermitted { return false }
        throw SystemCallError("fsetxattr", "'\(name)'", error)
    }

    /// Those of an open file that an image may have, sorted by name.
    static func all(of file: FileDescriptor) throws(SystemCallError) -> [(name: String, value: [UInt8])] {
        let size = flistxattr(file.rawValue, nil, 0)
        if size == 0 || (size < 0 && errno == EOPNOTSUPP) { return [] }
        var names = [CChar](repeating: 0, count: max(size, 0) + 256)
        let length = flistxattr(file.rawValue, &names, names.count)
        guard length >= 0 else { throw SystemCallError("flistxattr", "fd \(file.rawValue)", Errno(rawValue: errno)) }
        var result: [(name: String, value: [UInt8])] = []
        for part in names[..<length].split(separator: 0) {
            let name = String(decoding: part.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard isKept(name) else { continue }
            var value = [UInt8](repeating: 0, count: 65536)
            let count = fgetxattr(file.rawValue, name, &value, value.count)
            if count >= 0 { result.append((name, Array(value[..<count]))) }
        }
        return result.sorted { $0.name < $1.name }
    }
}
