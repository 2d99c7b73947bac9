import CLinux
import Glibc
import Images
import Linux
import SystemPackage

/// The digests of a context's files, so that those that have not changed are not read again.
///
/// A file is taken for unchanged if its inode, size, times of modification and of change are the same; the last is the
/// kernel's own and nobody can set it back. What was changed just before it was read is not kept: it could change again
/// within the same tick of the clock.
final class FileDigests {
    /// 32 bytes: SHA-256.
    typealias Value = [UInt8]

    private struct Entry {
        var inode: UInt64
        var device: UInt64
        var size: Int64
        var modified: Int64
        var changed: Int64
        var digest: (UInt64, UInt64, UInt64, UInt64)
    }

    private let store: FileDescriptor?
    private let file: String
    /// By inode.
    private var known: [UInt64: Entry] = [:]
    private var isChanged = false

    /// How long before a file is read it must have been changed last, in nanoseconds: many ticks of the clock that file
    /// systems take their times from.
    private static let settled: Int64 = 100_000_000
    private static let mark: [UInt8] = Array("apusdig1".utf8)

    /// - Parameters:
    ///   - directory: Where they are kept; `nil` for nowhere.
    ///   - name: The context's.
    init(in directory: FileDescriptor?, context name: String) {
        store = directory
        file = "files-\(Digest.of(Array(name.utf8)).hex.prefix(32))"
        load()
    }

    /// The digest of a file's content.
    func digest(of entry: SourceEntry, in tree: SourceTree) throws(Failure) -> Value {
        let status = entry.status
        let (modified, changed) = (Self.time(status.st_mtim), Self.time(status.st_ctim))
        if let found = known[UInt64(status.st_ino)], found.device == UInt64(status.st_dev),
            found.size == Int64(status.st_size), found.modified == modified, found.changed == changed
        {
            return withUnsafeBytes(of: found.digest) { Array($0) }
        }
        isChanged = true
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let digest = try read(entry, in: tree)
        if changed < Self.time(now) - Self.settled {
            var value: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: digest) }
            known[UInt64(status.st_ino)] = Entry(
                inode: UInt64(status.st_ino), device: UInt64(status.st_dev), size: Int64(status.st_size),
                modified: modified, changed: changed, digest: value)
        }
        return digest
    }

    private func read(_ entry: SourceEntry, in tree: SourceTree) throws(Failure) -> Value {
        let opened = try tree.open(entry.path, O_RDONLY | O_NONBLOCK)
        defer { opened.closeQuietly() }
        var hasher = Digest.Hasher()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = Glibc.read(opened.rawValue, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure("read \(tree.name)", entry.text, Errno(rawValue: errno).reason) }
            if count == 0 { break }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        return Self.bytes(ofHex: hasher.finish().hex)
    }

    private static func bytes(ofHex hex: String) -> [UInt8] {
        func value(_ digit: UInt8) -> UInt8 { digit < 0x61 ? digit - 0x30 : digit - 0x61 + 10 }
        let digits = Array(hex.utf8)
        return stride(from: 0, to: digits.count, by: 2).map { value(digits[$0]) << 4 | value(digits[$0 + 1]) }
    }

    private static func time(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    // MARK: Keeping

    private func load() {
        // Without it every file is read.
        guard let bytes = try? store?.contents(of: file, limit: 1 << 28),  // `try?`: as just said
            bytes.starts(with: Self.mark)
        else { return }
        let size = MemoryLayout<Entry>.size
        let count = (bytes.count - Self.mark.count) / size
        known.reserveCapacity(known.count + count)
        bytes.withUnsafeBytes { buffer in
            for index in 0..<count {
                let entry = buffer.loadUnaligned(fromByteOffset: Self.mark.count + index * size, as: Entry.self)
                if known[entry.inode] == nil { known[entry.inode] = entry }
            }
        }
    }

    /// The most files that are remembered: beyond that it begins anew with those of this build.
    private static let limit = 2_000_000

    /// Keeps what was found, if any of it is new.
    func save() {
        guard isChanged, let store else { return }
        // What another stage of the same build has found meanwhile stays.
        if known.count < Self.limit { load() }
        var bytes = Self.mark
        bytes.reserveCapacity(known.count * MemoryLayout<Entry>.size + Self.mark.count)
        for entry in known.values { withUnsafeBytes(of: entry) { bytes.append(contentsOf: $0) } }
        try? store.replaceFile(file, with: bytes)  // `try?`: then they are read again
        isChanged = false
    }
}

extension CopyPlan {
    /// The digest of all that is copied: names, kinds, permissions, owners where they are kept, and contents, but no times.
    func digest(in tree: SourceTree, _ files: FileDigests) throws(Failure) -> Digest {
        var hasher = Digest.Hasher()
        for item in items {
            Self.add("item", item.name, &hasher)
            for parent in item.parents { try Self.add(parent, parent.path, in: tree, files, &hasher) }
            try Self.add(item.source, [], in: tree, files, &hasher)
            let prefix = item.source.path.isEmpty ? 0 : item.source.path.count + 1
            for entry in item.entries {
                try Self.add(entry, Array(entry.path[prefix...]), in: tree, files, &hasher)
            }
        }
        files.save()
        return hasher.finish()
    }

    private static func add(_ name: StaticString, _ value: [UInt8], _ hasher: inout Digest.Hasher) {
        hasher.update(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        withUnsafeBytes(of: value.count) { hasher.update($0) }
        value.withUnsafeBytes { hasher.update($0) }
    }

    private static func add(
        _ entry: SourceEntry, _ path: [UInt8], in tree: SourceTree, _ files: FileDigests,
        _ hasher: inout Digest.Hasher
    ) throws(Failure) {
        add("path", path, &hasher)
        var facts = [UInt32(entry.status.st_mode)]
        if tree.keepsOwners { facts += [entry.status.st_uid, entry.status.st_gid] }
        if [S_IFCHR, S_IFBLK].contains(entry.status.st_mode & S_IFMT) {
            facts.append(UInt32(truncatingIfNeeded: entry.status.st_rdev))
        }
        facts.withUnsafeBytes { hasher.update($0) }
        if entry.isFile {
            add("file", try files.digest(of: entry, in: tree), &hasher)
        } else if entry.isSymlink {
            add("link", try tree.target(of: entry), &hasher)
        }
    }
}

extension SourceTree {
    /// Where a symlink points, in bytes.
    func target(of link: SourceEntry) throws(Failure) -> [UInt8] {
        let file = try open(link.path, O_PATH)
        defer { file.closeQuietly() }
        return try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { (buffer) throws(Failure) in
            let length = readlinkat(file.rawValue, "", buffer.baseAddress!, buffer.count)
            guard length >= 0 else { throw Failure("read \(name)", link.text, Errno(rawValue: errno).reason) }
            return buffer[..<length].map { UInt8(bitPattern: $0) }
        }
    }
}
