import CLinux
import Glibc
import Linux
import SystemPackage

/// The moment by which something has to have happened, so that no test ever hangs.
struct Deadline {
    private let end: ContinuousClock.Instant

    /// - Parameter seconds: From now. Far more than anything here takes, since the machine may be a busy or emulated one.
    static func after(_ seconds: Int = 90) -> Self { Self(end: .now + .seconds(seconds)) }

    /// What is left, in milliseconds, at least 0.
    var milliseconds: CInt {
        let left = ContinuousClock.now.duration(to: end).components
        return max(0, CInt(left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000))
    }

    /// Waits until one of `descriptors` has an event.
    ///
    /// - Parameter descriptors: With the events to wait for; `POLLHUP` and `POLLERR` always count.
    /// - Returns: What happened to each, in the same order.
    /// - Throws: `TimedOut`, with `purpose` in it.
    func wait(for descriptors: [(FileDescriptor, CInt)], _ purpose: @autoclosure () -> String) throws -> [CInt] {
        var polled = descriptors.map { pollfd(fd: $0.0.rawValue, events: Int16($0.1), revents: 0) }
        let count = try check("poll") { poll(&polled, nfds_t(polled.count), milliseconds) }
        guard count > 0 else { throw TimedOut(purpose: purpose()) }
        return polled.map { CInt($0.revents) }
    }
}

/// Something did not happen in time.
struct TimedOut: Error, CustomStringConvertible {
    let purpose: String
    var description: String { "timed out waiting for \(purpose)" }
}

/// Waits until `condition` holds, and looks again after each change of a file in `directories`.
///
/// - Parameter directories: Where something changes when the condition comes to hold.
func waitUntil(
    changing directories: [String], seconds: Int = 90, _ purpose: String, _ condition: () throws -> Bool
) throws {
    let deadline = Deadline.after(seconds)
    let watch = try DirectoryWatch(directories)
    while try !condition() {
        _ = try deadline.wait(for: [(watch.descriptor, POLLIN)], purpose)
        _ = try watch.takeNames()
    }
}

/// Reports what is made, changed and removed in some directories.
final class DirectoryWatch {
    let descriptor: FileDescriptor

    init(_ directories: [String]) throws {
        descriptor = FileDescriptor(
            rawValue: try check("inotify_init1") { inotify_init1(CInt(O_CLOEXEC | O_NONBLOCK)) })
        let events = IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM
        for directory in directories {
            try check("inotify_add_watch", directory) {
                inotify_add_watch(descriptor.rawValue, directory, UInt32(events))
            }
        }
    }

    deinit { descriptor.closeQuietly() }

    /// The names of the entries to which something has happened since the last time.
    func takeNames() throws -> Set<String> {
        var names: Set<String> = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor.rawValue, $0.baseAddress, $0.count) }
            guard count > 0 else { return names }
            var start = 0
            while start < count {
                let event = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start, as: inotify_event.self) }
                let name = buffer[(start + 16)..<(start + 16 + Int(event.len))].prefix { $0 != 0 }
                names.insert(String(decoding: name, as: UTF8.self))
                start += 16 + Int(event.len)
            }
        }
    }
}
