import Glibc
import Linux
import SystemPackage

/// What of the machine a container's standard streams lead to, by the names that CRIU has for it.
///
/// A restore puts the streams in its place that it has itself.
enum OuterStreams {
    /// The names of init's three streams: `pipe:[INODE]`, `file[MOUNT:INODE]` for a file that no mount of the container
    /// shows, such as the machine's /dev/null, or a path in the container.
    static func names(of pid: pid_t) throws(Failure) -> [String] {
        let mounts = try step("read mounts", "of init") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.contents(of: "/proc/\(pid)/mountinfo", limit: 16 << 20)
        }
        let own = mounts.split(separator: UInt8(ascii: "\n")).compactMap { line in
            line.split(separator: UInt8(ascii: " ")).first.flatMap { UInt32(String(decoding: $0, as: UTF8.self)) }
        }
        return (0..<3).map { number in
            let here = FileDescriptor.workingDirectory
            guard let target = here.linkTarget(of: "/proc/\(pid)/fd/\(number)") else { return "" }
            guard target.utf8.first == UInt8(ascii: "/"), let mount = mount(of: number, pid), !own.contains(mount),
                // `try?`: it has just been closed
                let status = try? here.status(of: "/proc/\(pid)/fd/\(number)")
            else { return target }
            return "file[\(String(mount, radix: 16)):\(String(status.st_ino, radix: 16))]"
        }
    }

    /// Whether a name stands for something that a restore has to hand over.
    static func isHandedOver(_ name: String) -> Bool { name.hasPrefix("pipe:") || isFile(name) }

    /// Whether a dump has to be told that it comes from outside; of a pipe that is seen.
    static func isFile(_ name: String) -> Bool { name.hasPrefix("file[") }

    /// - Note: proc_pid_fdinfo(5), `mnt_id`.
    private static func mount(of number: Int, _ pid: pid_t) -> UInt32? {
        FileDescriptor.contentsIfReadable(of: "/proc/\(pid)/fdinfo/\(number)", limit: 4096)?
            .split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
            .first { $0.hasPrefix("mnt_id:") }
            .flatMap { UInt32($0.dropFirst("mnt_id:".count).drop { $0 == "\t" || $0 == " " }) }
    }
}
