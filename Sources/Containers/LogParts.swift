import CLinux
import Glibc
import Linux
import SystemPackage

/// The files of one log, the oldest first, read line by line.
struct LogParts {
    private struct Part {
        let file: FileDescriptor
        let inode: UInt64
    }

    private let directory: FileDescriptor
    private var parts: [Part]
    private var index = 0
    /// Read from the current part, but not given out.
    private var buffer: ArraySlice<UInt8> = []
    /// Where in the current part the next read begins.
    private var offset: off_t = 0
    private var block = [UInt8](repeating: 0, count: blockSize)

    private static let blockSize = 64 << 10
    /// A line that is longer was not written by Apus.
    private static let lineLimit = 1 << 20

    /// - Parameter directory: The container's.
    init(_ directory: FileDescriptor) throws(SystemCallError) {
        self.directory = directory
        parts = try Self.open(in: directory, newerThan: nil)
    }

    /// Closes all files.
    func close() {
        for part in parts { part.file.closeQuietly() }
    }

    /// Opens the parts that are newer than the one with `inode`, the oldest first.
    ///
    /// The newest is opened first: a rotation meanwhile only makes the same file appear once more, which is seen.
    private static func open(in directory: FileDescriptor, newerThan inode: UInt64?) throws(SystemCallError) -> [Part] {
        var found: [Part] = []
        for number in 0... {
            guard let part = try open(number, in: directory) else { break }
            if part.inode == inode {
                part.file.closeQuietly()
                break
            }
            guard !found.contains(where: { $0.inode == part.inode }) else {
                part.file.closeQuietly()
                continue
            }
            found.append(part)
        }
        return found.reversed()
    }

    /// - Returns: `nil` when there is no such part.
    private static func open(_ number: Int, in directory: FileDescriptor) throws(SystemCallError) -> Part? {
        let file: FileDescriptor
        do {
            file = try directory.open(number == 0 ? "log" : "log.\(number)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        }
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG else {
            file.closeQuietly()
            throw SystemCallError("read", "log part \(number)", .invalidArgument)
        }
        return Part(file: file, inode: UInt64(status.st_ino))
    }

    // MARK: Lines

    /// The next whole line, without its newline.
    ///
    /// - Returns: `nil` at the end of what is there now.
    mutating func nextLine() throws(SystemCallError) -> ArraySlice<UInt8>? {
        while true {
            if let newline = buffer.firstIndex(of: 0x0a) {
                let line = buffer[..<newline]
                buffer = buffer[(newline + 1)...]
                return line
            }
            if try fill() { continue }
            guard index + 1 < parts.count else { return nil }
            move(to: index + 1, offset: 0)
        }
    }

    private mutating func move(to part: Int, offset: off_t) {
        index = part
        self.offset = offset
        buffer = []
    }

    /// - Returns: Whether there was more.
    private mutating func fill() throws(SystemCallError) -> Bool {
        guard index < parts.count else { return false }
        let count = try read(parts[index], at: offset)
        guard count > 0 else { return false }
        offset += off_t(count)
        if buffer.count > Self.lineLimit { buffer = [] }
        buffer = ArraySlice(Array(buffer) + block[..<count])
        return true
    }

    private mutating func read(_ part: Part, at offset: off_t) throws(SystemCallError) -> Int {
        let count = try check("pread", "log") {
            CInt(truncatingIfNeeded: pread(part.file.rawValue, &block, block.count, offset))
        }
        return Int(count)
    }

    // MARK: The end

    /// Leaves all but the newest `count` lines out.
    mutating func skipToTail(_ count: Int) throws(SystemCallError) {
        var wanted = count
        for part in parts.indices.reversed() {
            var end = try parts[part].file.status().st_size
            // The newline at the very end closes a line rather than starting one.
            var newlines = -1
            while end > 0 {
                let start = max(0, end - off_t(Self.blockSize))
                let got = min(try read(parts[part], at: start), Int(end - start))
                for position in stride(from: got - 1, through: 0, by: -1) where block[position] == 0x0a {
                    newlines += 1
                    if newlines == wanted { return move(to: part, offset: start + off_t(position) + 1) }
                }
                end = start
            }
            wanted -= newlines + 1
            if wanted <= 0 { return move(to: part, offset: 0) }
        }
        move(to: 0, offset: 0)
    }

    /// Takes in what a rotation did since: newer files, or a file that begins anew.
    mutating func continueAfterRotation() throws(SystemCallError) {
        guard let last = parts.last else {
            parts = try Self.open(in: directory, newerThan: nil)
            return
        }
        if index == parts.count - 1, try last.file.status().st_size < offset { move(to: index, offset: 0) }
        parts += try Self.open(in: directory, newerThan: last.inode)
    }
}

/// Tells when a running container's log has more, and when the container has ended.
struct LogWatch {
    private let changes: FileDescriptor
    /// Hangs up when the supervisor is done; `nil` without one.
    private let supervisor: FileDescriptor?

    init(_ container: Container) throws(SystemCallError) {
        let changes = try check("inotify_init1") { inotify_init1(CInt(IN_CLOEXEC)) }
        self.changes = FileDescriptor(rawValue: changes)
        supervisor = try? AttachSocket.attach.connect(in: container.directory)  // `try?`: none listens: nothing to come
        do throws(SystemCallError) {
            let events = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO)
            try check("inotify_add_watch", "log") {
                inotify_add_watch(changes, container.directory.path, events)
            }
        } catch {
            close()
            throw error
        }
    }

    func close() {
        changes.closeQuietly()
        supervisor?.closeQuietly()
    }

    /// Waits for a change.
    ///
    /// - Returns: Whether nothing is to be waited for any more.
    func wait(until deadline: Timestamp?) throws(SystemCallError) -> Bool {
        guard let supervisor else { return true }
        var entries = [
            pollfd(fd: changes.rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: supervisor.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        let ready = try check("poll", "log") { poll(&entries, 2, Self.milliseconds(until: deadline)) }
        if entries[0].revents != 0 {
            var events = [UInt8](repeating: 0, count: 4096)
            try check("read", "inotify") { CInt(truncatingIfNeeded: read(changes.rawValue, &events, events.count)) }
        }
        return ready == 0 || entries[1].revents != 0
    }

    private static func milliseconds(until deadline: Timestamp?) -> CInt {
        guard let deadline else { return -1 }
        let now = Timestamp.now
        return deadline <= now ? 0 : CInt(clamping: (deadline.nanoseconds - now.nanoseconds) / 1_000_000 + 1)
    }
}
