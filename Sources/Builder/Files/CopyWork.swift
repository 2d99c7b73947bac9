import CLinux
import Glibc
import Linux
import SystemPackage

/// How what is copied is changed on the way.
struct CopyOptions {
    /// A path in the root, absolute, with its slash at the end where it was written with one.
    var destination: String
    /// `user:group`, by names of the root or numbers; `nil` for root, or what the source has.
    var owner: String?
    /// The permission bits of all files; `nil` for the source's.
    var mode: FileMode?
    /// Whether several files go in, so that the destination is a directory.
    var needsDirectory = false
    /// Whether there are other owners than root.
    var givesAway = true
    /// Which files are archives that are unpacked.
    var unpacks = Unpacking.nothing

    enum Unpacking { case nothing, local, everything }

    /// What times files get; `nil` for those of the source. In seconds since 1970.
    var time: Int64?
}

/// Copies files into the root that this process has as its own.
struct CopyWork {
    private let tree: SourceTree
    private let options: CopyOptions
    /// The owner of all that is made; `nil` for that of the source.
    private let owner: (uid: uid_t, gid: gid_t)?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)

    /// - Throws: For an owner whose name the root does not know.
    init(from tree: SourceTree, _ options: CopyOptions) throws(Failure) {
        self.tree = tree
        self.options = options
        let asked = try options.owner.map { (text) throws(Failure) in try Self.resolve(text) }
        owner = options.givesAway ? asked ?? (tree.keepsOwners ? nil : (0, 0)) : (0, 0)
    }

    /// Copies all of a plan.
    func run(_ plan: CopyPlan) throws(Failure) {
        defer { buffer.deallocate() }
        for item in plan.items { try copy(item, into: options.destination) }
    }

    /// Makes the destination a directory.
    func makeDirectory() throws(Failure) {
        defer { buffer.deallocate() }
        try makeParents(options.destination)
        try makeDefaultDirectory(options.destination)
    }

    /// Makes a file here.
    func write(_ content: [UInt8], named name: String) throws(Failure) {
        defer { buffer.deallocate() }
        var status = FileStatus()
        status.st_mode = S_IFREG | 0o644
        let target = try target(named: Array(name.utf8))
        try replace(target, "file")
        try attempt(target) {
            let raw = open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            if raw < 0 { return raw }
            let file = FileDescriptor(rawValue: raw)
            defer { file.closeQuietly() }
            // `try?`: what is missing then makes the file's end come too early, which fchmod's success must not hide
            guard (try? file.writeFully(content)) != nil else { return -1 }
            return 0
        }
        try finish(target, status, SourceEntry(path: Array(name.utf8), status: status))
    }

    // MARK: Where

    private func copy(_ item: CopyPlan.Item, into destination: String) throws(Failure) {
        var folder = destination
        for parent in item.parents {
            try makeParents(folder)
            let path = Self.join(destination, parent.text)
            try makeDirectory(path, parent.status, overwrites: true)
            folder = path
        }
        if item.source.isDirectory {
            if item.parents.isEmpty {
                try makeDirectories(destination)
                if Self.isMissing(destination) { try makeDirectory(destination, item.source.status, overwrites: false) }
                guard Self.isDirectory(destination) else {
                    throw Failure("copy", item.source.text, "'\(destination)' is no directory")
                }
            }
            return try copyContent(of: item, into: folder)
        }
        if unpacks, try unpack(item.source, into: destination) { return }
        let target = destination
        if !item.parents.isEmpty || options.needsDirectory || destination.hasSuffix("/")
            || Self.isDirectory(destination)
        {
            try makeDirectories(folder)
            try makeDefaultDirectory(folder)
            return try copyFile(item.source, to: Self.bytes(folder) + [UInt8(ascii: "/")] + item.name)
        }
        try makeParents(target)
        try copyFile(item.source, to: Array(target.utf8))
    }

    private var unpacks: Bool {
        switch options.unpacks {
        case .nothing: false
        case .local: !tree.isRemote
        case .everything: true
        }
    }

    /// - Returns: Whether it was an archive.
    private func unpack(_ entry: SourceEntry, into destination: String) throws(Failure) -> Bool {
        guard entry.isFile else { return false }
        let file = try tree.open(entry.path, O_RDONLY | O_NONBLOCK)
        defer { file.closeQuietly() }
        guard LocalArchive.isArchive(file) else { return false }
        try makeDirectories(destination)
        try makeDefaultDirectory(destination)
        try LocalArchive.unpack(file, into: destination, keepsOwners: options.givesAway)
        return true
    }

    private func copyContent(of item: CopyPlan.Item, into folder: String) throws(Failure) {
        let prefix = item.source.path.isEmpty ? 0 : item.source.path.count + 1
        let base = Self.bytes(folder) + [UInt8(ascii: "/")]
        var directories: [(path: [UInt8], status: FileStatus)] = []
        for entry in item.entries {
            let path = base + entry.path[prefix...]
            if entry.isDirectory {
                try makeDirectory(path, entry.status, overwrites: true)
                directories.append((path, entry.status))
            } else {
                try copyFile(entry, to: path)
            }
        }
        // Files that came into them have changed their times.
        for (path, status) in directories.reversed() { try setTimes(path, status) }
    }

    private func target(named name: [UInt8]) throws(Failure) -> String {
        let destination = options.destination
        guard options.needsDirectory || destination.hasSuffix("/") || Self.isDirectory(destination) else {
            try makeParents(destination)
            return destination
        }
        try makeDirectories(destination)
        try makeDefaultDirectory(destination)
        return Self.join(destination, String(decoding: name, as: UTF8.self))
    }

    private static func join(_ folder: String, _ name: String) -> String {
        folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    }

    private static func bytes(_ folder: String) -> [UInt8] {
        var bytes = Array(folder.utf8)
        while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return bytes
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = FileStatus()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func isMissing(_ path: String) -> Bool { access(path, F_OK) != 0 }

    // MARK: Directories

    /// Makes the directory that a path is in, and those above.
    private func makeParents(_ path: String) throws(Failure) {
        let bytes = Self.bytes(path)
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")), slash > 0 else { return }
        let parent = String(decoding: bytes[..<slash], as: UTF8.self)
        if Self.isDirectory(parent) { return }
        try makeParents(parent)
        try makeDefaultDirectory(parent)
    }

    private func makeDirectories(_ path: String) throws(Failure) { try makeParents(path) }

    /// One that nothing is said of.
    private func makeDefaultDirectory(_ path: String) throws(Failure) {
        if Self.isDirectory(path) { return }
        try attempt(path) { mkdir(path, 0o755) }
        try attempt(path) { chmod(path, 0o755) }
        let (uid, gid) = owner ?? (0, 0)
        try attempt(path) { chown(path, uid, gid) }
        if let time = options.time { try setTime(Array(path.utf8), timespec(tv_sec: Int(time), tv_nsec: 0)) }
    }

    private func makeDirectory(_ path: String, _ status: FileStatus, overwrites: Bool) throws(Failure) {
        try makeDirectory(Array(path.utf8), status, overwrites: overwrites)
    }

    /// - Parameter overwrites: Whether one that is there gets the source's owner and mode.
    private func makeDirectory(_ path: [UInt8], _ status: FileStatus, overwrites: Bool) throws(Failure) {
        let made = SourceTree.withCString(path) { mkdir($0, 0o700) }
        if made != 0 {
            guard errno == EEXIST else { throw failure(path, "mkdir") }
            var there = FileStatus()
            // Through a symlink, which stays in this root: `COPY tree/ /` with /lib a link to /usr/lib.
            guard SourceTree.withCString(path, { stat($0, &there) }) == 0, there.st_mode & S_IFMT == S_IFDIR else {
                throw Failure("copy", Self.text(path), "is there, and is no directory")
            }
            if !overwrites { return }
        }
        let (uid, gid) = owner ?? (status.st_uid, status.st_gid)
        try attempt(path, "chown") { chown($0, uid, gid) }
        let mode = options.mode?.applied(to: status.st_mode) ?? status.st_mode & 0o7777
        try attempt(path, "chmod") { chmod($0, mode) }
        try setTimes(path, status)
    }

    // MARK: Files

    private func copyFile(_ entry: SourceEntry, to path: [UInt8]) throws(Failure) {
        try replace(Self.text(path), entry.text, path)
        switch entry.status.st_mode & S_IFMT {
        case S_IFREG: return try copyRegular(entry, to: path)
        case S_IFLNK:
            let target = try tree.target(of: entry)
            try attempt(path, "symlink") { name in SourceTree.withCString(target) { symlink($0, name) } }
        default:
            try attempt(path, "mknod") { mknod($0, entry.status.st_mode & S_IFMT | 0o600, entry.status.st_rdev) }
        }
        try finish(Self.text(path), entry.status, entry, path)
    }

    /// Makes room for a file: what is there goes, unless it is a directory.
    private func replace(_ path: String, _ source: String, _ bytes: [UInt8]? = nil) throws(Failure) {
        let bytes = bytes ?? Array(path.utf8)
        if SourceTree.withCString(bytes, { unlink($0) }) == 0 || errno == ENOENT { return }
        if errno == EISDIR || errno == EPERM {
            throw Failure("copy", source, "'\(path)' is a directory, and no file takes its place")
        }
        throw failure(bytes, "unlink")
    }

    private func copyRegular(_ entry: SourceEntry, to path: [UInt8]) throws(Failure) {
        let source = try tree.open(entry.path, O_RDONLY | O_NONBLOCK)
        defer { source.closeQuietly() }
        let raw = SourceTree.withCString(path) { open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard raw >= 0 else { throw failure(path, "open") }
        defer { close(raw) }
        while true {
            let count = read(source.rawValue, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure("read \(tree.name)", entry.text, Errno(rawValue: errno).reason) }
            if count == 0 { break }
            var written = 0
            while written < count {
                let more = Glibc.write(raw, buffer.baseAddress! + written, count - written)
                if more < 0, errno == EINTR { continue }
                guard more >= 0 else { throw failure(path, "write") }
                written += more
            }
        }
        let (uid, gid) = owner ?? (entry.status.st_uid, entry.status.st_gid)
        guard fchown(raw, uid, gid) == 0 else { throw failure(path, "chown") }
        if tree.keepsOwners { copyAttributes(source.rawValue, raw) }
        let mode = options.mode?.applied(to: entry.status.st_mode) ?? entry.status.st_mode & 0o7777
        guard fchmod(raw, mode) == 0 else { throw failure(path, "chmod") }
        let time = options.time.map { timespec(tv_sec: Int($0), tv_nsec: 0) } ?? entry.status.st_mtim
        guard futimens(raw, [time, time]) == 0 else { throw failure(path, "utimensat") }
    }

    /// Capabilities and what users have set, where the file system takes them.
    private func copyAttributes(_ source: CInt, _ target: CInt) {
        var names = [CChar](repeating: 0, count: 4096)
        let length = flistxattr(source, &names, names.count)
        guard length > 0 else { return }
        for part in names[..<length].split(separator: 0) {
            let name = String(decoding: part.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let isOwn = name.hasPrefix("user.") && !name.hasPrefix("user.overlay.")
            guard isOwn || name == "security.capability" else { continue }
            var value = [UInt8](repeating: 0, count: 65536)
            let count = fgetxattr(source, name, &value, value.count)
            if count >= 0 { fsetxattr(target, name, value, count, 0) }
        }
    }

    private func finish(
        _ path: String, _ status: FileStatus, _ entry: SourceEntry, _ bytes: [UInt8]? = nil
    ) throws(Failure) {
        let bytes = bytes ?? Array(path.utf8)
        let (uid, gid) = owner ?? (status.st_uid, status.st_gid)
        try attempt(bytes, "chown") { lchown($0, uid, gid) }
        if !entry.isSymlink {
            let mode = options.mode?.applied(to: status.st_mode) ?? status.st_mode & 0o7777
            try attempt(bytes, "chmod") { chmod($0, mode) }
        }
        try setTimes(bytes, status)
    }

    private func setTimes(_ path: [UInt8], _ status: FileStatus) throws(Failure) {
        try setTime(path, options.time.map { timespec(tv_sec: Int($0), tv_nsec: 0) } ?? status.st_mtim)
    }

    private func setTime(_ path: [UInt8], _ time: timespec) throws(Failure) {
        try attempt(path, "utimensat") { utimensat(AT_FDCWD, $0, [time, time], AT_SYMLINK_NOFOLLOW) }
    }

    // MARK: Owners and errors

    /// Who `user[:group]` is in this root.
    ///
    /// - Note: Docker's reference: without a group, the group with the user's number.
    static func resolve(_ text: String) throws(Failure) -> (uid: uid_t, gid: gid_t) {
        let root: FileDescriptor
        do throws(SystemCallError) {
            root = try FileDescriptor.workingDirectory.open("/", O_RDONLY | O_DIRECTORY)
        } catch {
            throw Failure("--chown", text, error)
        }
        defer { root.closeQuietly() }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        // Numbers need no files, which a root from nothing does not have.
        if let uid = uid_t(parts[0]) {
            if parts.count == 1 { return (uid, uid) }
            if let gid = gid_t(parts[1]) { return (uid, gid) }
        }
        let user = try UserDatabase(inRoot: root).resolve(text)
        return (user.uid, parts.count > 1 ? user.gid : user.uid)
    }

    private func attempt(_ path: String, _ body: () -> CInt) throws(Failure) {
        guard body() >= 0 else { throw failure(Array(path.utf8), "make") }
    }

    private func attempt(
        _ path: [UInt8], _ call: StaticString, _ body: (UnsafePointer<CChar>) -> CInt
    ) throws(Failure) {
        guard SourceTree.withCString(path, body) >= 0 else { throw failure(path, call) }
    }

    private func failure(_ path: [UInt8], _ call: StaticString) -> Failure {
        Failure("copy", Self.text(path), "\(call): \(Errno(rawValue: errno).reason)")
    }

    private static func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }
}

/// `--chmod`: a number, or changes as chmod(1) writes them.
enum FileMode: Equatable {
    case bits(mode_t)
    case changes([Change])

    struct Change: Equatable {
        /// The bits of those that it is for: `u`, `g`, `o`.
        var who: mode_t
        /// `+`, `-` or `=`.
        var action: UInt8
        /// For all three, `r`, `w`, `x`, `s`, `t`.
        var bits: mode_t
        /// `X`: for directories, and what somebody may execute already.
        var executesSome: Bool
    }

    init(_ text: String) throws(Failure) {
        if let bits = mode_t(text, radix: 8), bits <= 0o7777, !text.isEmpty {
            self = .bits(bits)
            return
        }
        var changes: [Change] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let change = Self.change(Array(part.utf8)) else {
                throw Failure("--chmod", "'\(text)'", "is no mode", remedy: "give one such as 755 or u=rwX,go=rX")
            }
            changes.append(change)
        }
        self = .changes(changes)
    }

    private static func change(_ text: [UInt8]) -> Change? {
        var who: mode_t = 0
        var index = 0
        while index < text.count, let mask = masks.first(where: { $0.0 == text[index] })?.1 {
            who |= mask
            index += 1
        }
        guard index < text.count, "+-=".utf8.contains(text[index]) else { return nil }
        var change = Change(who: who == 0 ? 0o7777 : who, action: text[index], bits: 0, executesSome: false)
        for letter in text[(index + 1)...] {
            switch letter {
            case UInt8(ascii: "r"): change.bits |= 0o444
            case UInt8(ascii: "w"): change.bits |= 0o222
            case UInt8(ascii: "x"): change.bits |= 0o111
            case UInt8(ascii: "X"): change.executesSome = true
            case UInt8(ascii: "s"): change.bits |= 0o6000
            case UInt8(ascii: "t"): change.bits |= 0o1000
            default: return nil
            }
        }
        return change
    }

    private static let masks: [(UInt8, mode_t)] = [
        (UInt8(ascii: "u"), 0o4700), (UInt8(ascii: "g"), 0o2070), (UInt8(ascii: "o"), 0o1007),
        (UInt8(ascii: "a"), 0o7777),
    ]

    /// The permission bits of a file that had others.
    func applied(to mode: mode_t) -> mode_t {
        switch self {
        case .bits(let bits): return bits
        case .changes(let changes):
            var result = mode & 0o7777
            for change in changes {
                var bits = change.bits
                if change.executesSome, mode & S_IFMT == S_IFDIR || result & 0o111 != 0 { bits |= 0o111 }
                bits &= change.who
                switch change.action {
                case UInt8(ascii: "+"): result |= bits
                case UInt8(ascii: "-"): result &= ~bits
                default: result = result & ~change.who | bits
                }
            }
            return result
        }
    }
}
