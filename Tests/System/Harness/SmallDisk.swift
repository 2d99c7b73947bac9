import Glibc
import Linux
import SystemPackage
import Testing

/// A file system of half a mebibyte as the data directory. Only for root.
struct SmallDisk {
    private let path: String
    private var filler: String { "\(path)/filler" }

    init(_ apus: Apus) throws {
        path = apus.data
        try check("mount", path) { mount("tmpfs", path, "tmpfs", 0, "size=512k,mode=711") }
    }

    /// Leaves no block free.
    func fill() throws {
        let file = try FileDescriptor.workingDirectory.open(filler, O_WRONLY | O_CREAT | O_APPEND)
        defer { file.closeQuietly() }
        let zeros = [UInt8](repeating: 0, count: 4096)
        while write(file.rawValue, zeros, zeros.count) > 0 {}
        try #require(errno == ENOSPC)
    }

    func free() throws { _ = try check("unlink", filler) { unlink(filler) } }

    func unmount() { umount2(path, CInt(MNT_DETACH)) }
}
