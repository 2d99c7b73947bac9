import CLinux
import Glibc
public import SystemPackage

/// A name in a directory as the kernel has it: bytes, which may be no text in any encoding.
///
/// Whoever walks through files that others made must use these: a `String` would name another file.
public struct FileName: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// With the terminating zero, as C functions take it.
    public let cString: [CChar]

    public init(_ text: String) {
        cString = Array(text.utf8CString)
    }

    init(_ text: UnsafePointer<CChar>) {
        cString = Array(UnsafeBufferPointer(start: text, count: strlen(text) + 1))
    }

    /// The path of `name` in the directory that this is the path of.
    public func appending(_ name: FileName) -> FileName {
        FileName(bytes: cString.dropLast() + [CChar(UInt8(ascii: "/"))] + name.cString)
    }

    /// - Parameter bytes: Without the terminating zero, and without any other.
    public init(bytes: some Sequence<UInt8>) {
        cString = bytes.map { CChar(bitPattern: $0) } + [0]
    }

    private init(bytes: [CChar]) {
        cString = bytes
    }

    /// For people: what is no UTF-8 is replaced.
    public var description: String {
        String(decoding: cString.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    public static func < (one: FileName, other: FileName) -> Bool {
        strcmp(one.cString, other.cString) < 0
    }
}

extension FileDescriptor {
    /// The names in this directory, without `.` and `..`, in no order.
    public func fileNames() throws(SystemCallError) -> [FileName] {
        let again = try open(".", O_RDONLY | O_DIRECTORY)
        guard let stream = fdopendir(again.rawValue) else {
            again.closeQuietly()
            throw SystemCallError("fdopendir", "fd \(rawValue)", Errno(rawValue: Glibc.errno))
        }
        defer { closedir(stream) }
        var names: [FileName] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { FileName($0) }
            }
            if name != Self.this && name != Self.parent { names.append(name) }
        }
        return names
    }

    private static let this = FileName(".")
    private static let parent = FileName("..")

    /// Opens the file `name` in this directory; `O_CLOEXEC` is added to `flags`.
    public func open(_ name: FileName, _ flags: CInt) throws(SystemCallError) -> FileDescriptor {
        FileDescriptor(
            rawValue: try check("open", "'\(name)'") { apus_open(rawValue, name.cString, flags | O_CLOEXEC, 0o600) })
    }

    /// Where the symlink `name` in this directory points, in bytes; `nil` if it is none.
    public func linkTarget(of name: FileName) -> FileName? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX) + 1) { buffer in
            let length = readlinkat(rawValue, name.cString, buffer.baseAddress!, buffer.count - 1)
            guard length > 0 else { return nil }
            buffer[length] = 0
            return FileName(buffer.baseAddress!)
        }
    }

    /// Makes the directory `name` in this one.
    public func makeDirectory(_ name: FileName, mode: mode_t) throws(SystemCallError) {
        try check("mkdir", "'\(name)'") { mkdirat(rawValue, name.cString, mode) }
    }

    /// What stat(2) says of the file `name` in this directory; a symlink counts by itself.
    public func status(of name: FileName) throws(SystemCallError) -> FileStatus {
        var status = FileStatus()
        try check("stat", "'\(name)'") { fstatat(rawValue, name.cString, &status, AT_SYMLINK_NOFOLLOW) }
        return status
    }

    /// Whether `name` is in this directory; a symlink counts by itself.
    public func has(_ name: FileName) -> Bool {
        faccessat(rawValue, name.cString, F_OK, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// Removes the file or the empty directory `name`; what is not there needs no removal.
    func remove(_ name: FileName, directory: Bool = false) throws(SystemCallError) {
        do {
            try check(directory ? "rmdir" : "unlink", "'\(name)'") {
                unlinkat(rawValue, name.cString, directory ? AT_REMOVEDIR : 0)
            }
        } catch  where error.errno == .noSuchFileOrDirectory {
            return
        }
    }
}
