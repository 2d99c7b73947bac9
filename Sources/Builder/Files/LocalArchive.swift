import Archives
import Glibc
import Linux
import SystemPackage

/// A tar archive that `ADD` unpacks, compressed or not.
enum LocalArchive {
    /// Whether a file is one: what it is called says nothing.
    static func isArchive(_ file: FileDescriptor) -> Bool {
        var offset: off_t = 0
        var head: [UInt8] = []
        do throws(Failure) {
            let stream = try Decompression { (buffer) throws(Failure) in
                let count = pread(file.rawValue, buffer.baseAddress, buffer.count, offset)
                guard count >= 0 else { throw Failure("read", "", Errno(rawValue: errno).reason) }
                offset += count
                return count
            }
            while head.count < 512, let piece = try stream.next() { head += piece }
        } catch {
            return false  // no compression that is known, or a damaged one: it is copied as it is
        }
        return head.count >= 512 && isHeader(head[..<512])
    }

    /// The sum of a header's bytes, with blanks for the sum itself.
    private static func isHeader(_ block: ArraySlice<UInt8>) -> Bool {
        let field = block[148..<156]
        let digits = field.drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
        guard let sum = Int(String(decoding: digits, as: UTF8.self), radix: 8), sum > 0 else { return false }
        let rest = block.reduce(0) { $0 + Int($1) } - field.reduce(0) { $0 + Int($1) }
        return rest + 8 * 0x20 == sum
    }

    /// Unpacks it into a directory of this process' own root.
    static func unpack(_ file: FileDescriptor, into directory: String, keepsOwners: Bool) throws(Failure) {
        guard chdir(directory) == 0 else {
            throw Failure("unpack", directory, SystemCallError("chdir", "", Errno(rawValue: errno)))
        }
        lseek(file.rawValue, 0, SEEK_SET)
        let extraction = Extraction(keepsOwners: keepsOwners)
        _ = try extraction.read(from: file) { _ in .none }
    }
}
