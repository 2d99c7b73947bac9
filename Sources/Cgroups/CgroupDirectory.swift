import CLinux
import Glibc
import Linux
import SystemPackage

/// A cgroup's directory, held open: its interface files are reached by name alone, and no symlink is followed.
public final class CgroupDirectory: Sendable {
    /// The absolute path, for messages and records.
    let path: String
    let descriptor: FileDescriptor

    /// Opens a cgroup that exists.
    ///
    /// - Throws: `ENOTSUP` for a directory of another file system, such as the tmpfs that v1 hierarchies are mounted on.
    init(_ path: String) throws(SystemCallError) {
        self.path = path
        // `open` throws before anything is held; afterwards `deinit` closes it.
        descriptor = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        guard FileSystem(of: descriptor).isCgroup else {
            descriptor.closeQuietly()
            throw SystemCallError("open", "cgroup '\(path)'", .notSupported)
        }
    }

    /// Opens a cgroup; `nil` for one that was removed or belonged to another boot.
    static func ifThere(_ path: String) throws(SystemCallError) -> CgroupDirectory? {
        do {
            return try CgroupDirectory(path)
        } catch  where error.errno == .noSuchFileOrDirectory || error.isGone {
            return nil
        }
    }

    deinit { descriptor.closeQuietly() }

    func has(_ file: String) -> Bool { descriptor.has(file) }

    func open(_ file: String, _ flags: CInt) throws(SystemCallError) -> FileDescriptor {
        do {
            return try descriptor.open(file, flags | O_NOFOLLOW | O_NOCTTY)
        } catch {
            throw SystemCallError(error.call, "'\(path)/\(file)'", error.errno)
        }
    }

    /// Writes `value` in one write(2), which is how interface files take it.
    func write(_ value: String, to file: String) throws(SystemCallError) {
        let opened = try open(file, O_WRONLY)
        defer { opened.closeQuietly() }
        try write(value, to: opened, named: file)
    }

    /// Writes `value` in one write(2) to an interface file that is open.
    func write(_ value: String, to opened: FileDescriptor, named file: String) throws(SystemCallError) {
        var value = value
        try check("write", "'\(value)' to '\(path)/\(file)'") {
            value.withUTF8 { CInt(truncatingIfNeeded: Glibc.write(opened.rawValue, $0.baseAddress, $0.count)) }
        }
    }

    /// Moves a process into this cgroup, if it has not ended.
    func take(_ pid: pid_t) throws(SystemCallError) {
        do {
            try write("\(pid)", to: "cgroup.procs")
        } catch  where error.errno == .noSuchProcess {
            return
        }
    }

    /// Reads a whole interface file, without the newline at its end.
    func read(_ file: String) throws(SystemCallError) -> String {
        let opened = try open(file, O_RDONLY)
        defer { opened.closeQuietly() }
        do {
            // A million processes have 8 MB of numbers.
            var bytes = try opened.readAll(limit: 16 << 20)
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            throw SystemCallError(error.call, "'\(path)/\(file)'", error.errno)
        }
    }

    /// Reads a file that this kernel or this configuration may not have.
    func readIfThere(_ file: String) throws(SystemCallError) -> String? {
        do {
            return try read(file)
        } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notSupported || error.isGone {
            return nil
        }
    }

    /// The names of the cgroups right below.
    func children() throws(SystemCallError) -> [String] {
        // To list the files, of which there are dozens, takes longer than all else that a short command needs at its end.
        var status = FileStatus()
        if fstat(descriptor.rawValue, &status) == 0, status.st_nlink == 2 { return [] }
        do {
            return try descriptor.directories()
        } catch  where error.isGone || error.errno == .noSuchFileOrDirectory {
            return []
        }
    }

    /// The processes in it and below it that this PID namespace shows (others read as 0).
    func processes() throws(SystemCallError) -> [pid_t] {
        var pids: [pid_t] = []
        do {
            pids = try read("cgroup.procs").utf8.split(separator: UInt8(ascii: "\n"))
                .compactMap { pid_t(Substring($0)) }.filter { $0 > 0 }
        } catch  where error.isGone || error.errno == .noSuchFileOrDirectory {
            return []
        } catch  where error.errno == .notSupported {
            // A threaded cgroup: its processes are listed by the domain above it.
        }
        for child in try children() { pids += try Self.ifThere(path + "/" + child)?.processes() ?? [] }
        return pids
    }

    /// How many threads are in this cgroup v1 and below it.
    func threads() throws(SystemCallError) -> Int {
        var count = try readIfThere("tasks")?.utf8.split(separator: UInt8(ascii: "\n")).count ?? 0
        for child in try children() { count += try Self.ifThere(path + "/" + child)?.threads() ?? 0 }
        return count
    }

    /// Removes the cgroup at `path` and those below it, deepest first.
    ///
    /// - Throws: `EBUSY` while a process is in one of them.
    static func removeTree(_ path: String) throws(SystemCallError) {
        do {
            try FileDescriptor.workingDirectory.remove(path, directory: true)
        } catch  where error.errno == .resourceBusy {
            let children = try ifThere(path)?.children() ?? []
            guard !children.isEmpty else { throw error }
            for child in children { try removeTree(path + "/" + child) }
            try FileDescriptor.workingDirectory.remove(path, directory: true)
        }
    }
}

extension SystemCallError {
    /// Whether the cgroup was removed while its directory was held open.
    var isGone: Bool { errno == .operationNotSupportedByDevice }
}

extension FileDescriptor {
    /// The directories in this directory.
    fileprivate func directories() throws(SystemCallError) -> [String] {
        let again = try open(".", O_RDONLY | O_DIRECTORY)
        guard let stream = fdopendir(again.rawValue) else {
            let errno = Errno(rawValue: Glibc.errno)
            again.closeQuietly()
            throw SystemCallError("fdopendir", "fd \(rawValue)", errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}

/// What kind of file system something lies on.
///
/// - Note: statfs(2); linux/magic.h.
enum FileSystem: Equatable {
    case cgroup1, cgroup2, temporary, other

    init(of descriptor: FileDescriptor) {
        var status = statfs()
        self.init(fstatfs(descriptor.rawValue, &status) == 0 ? status.f_type : 0)
    }

    init(at path: String) {
        var status = statfs()
        self.init(statfs(path, &status) == 0 ? status.f_type : 0)
    }

    private init(_ magic: Int) {
        self =
            switch magic {
            case 0x27e0eb: .cgroup1
            case 0x6367_7270: .cgroup2
            case 0x0102_1994: .temporary
            default: .other
            }
    }

    var isCgroup: Bool { self == .cgroup1 || self == .cgroup2 }
}
