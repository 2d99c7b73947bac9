import CLinux
import Glibc
import Linux
import SystemPackage

/// How this machine has its cgroups mounted, and where this process is in them.
enum Hierarchies {
    static let mountPoint = "/sys/fs/cgroup"

    /// The generation in use: v1 also where v2 is mounted beside it (hybrid), since v1 then has the controllers.
    ///
    /// - Returns: `nil` where no cgroup file system is mounted in the usual place.
    static func version() -> CgroupVersion? {
        switch FileSystem(at: mountPoint) {
        case .cgroup2: .v2
        case .temporary: .v1
        case .cgroup1, .other: nil
        }
    }

    /// The v1 hierarchy that has `controller`, by the name of its directory: `cpu` is a link to `cpu,cpuacct` where the
    /// two are mounted together.
    static func name(of controller: Controller) -> String {
        let target = FileDescriptor.workingDirectory.linkTarget(of: "\(mountPoint)/\(controller.rawValue)")
        // A link leads to a neighbour; anything else is none that an init system makes.
        guard let target, !target.contains("/"), !target.isEmpty else { return controller.rawValue }
        return target
    }

    /// This process's own cgroup in the hierarchy with the directory `name` (v1) or in the only one (`nil`, v2).
    ///
    /// - Returns: The absolute path below the mount point; `nil` where it lies outside of what is mounted here.
    static func ownCgroup(in name: String?) -> String? {
        // Without /proc nothing is known about the own place; others remain.
        guard let bytes = FileDescriptor.contentsIfReadable(of: "/proc/self/cgroup", limit: 1 << 20),
            let path = path(of: name, in: String(decoding: bytes, as: UTF8.self)), !path.hasPrefix("/..")
        else { return nil }
        let mount = name.map { "\(mountPoint)/\($0)" } ?? mountPoint
        guard let root = mountRoot(of: mount) else { return nil }
        if root == "/" { return path == "/" ? mount : mount + path }
        // A container shows only a part of the hierarchy, from `root` down.
        guard path == root || path.hasPrefix(root + "/") else { return nil }
        return mount + path.dropFirst(root.count)
    }

    /// This process's own cgroup, if a limited command runs in it or above it: what is made below it stays within that
    /// command's limits, and ends with it.
    ///
    /// - Returns: As `ownCgroup`; `nil` also where no command above is limited.
    static func ownLimit(in name: String?) -> String? {
        // Most are in none, and know that from one short file.
        guard let bytes = FileDescriptor.contentsIfReadable(of: "/proc/self/cgroup", limit: 1 << 20),
            isBelowLimit(String(decoding: bytes, as: UTF8.self)), var own = ownCgroup(in: name), isBelowLimit(own)
        else { return nil }
        if own.hasSuffix("/\(ControllersV2.leaf)") { own.removeLast(ControllersV2.leaf.utf8.count + 1) }
        return own
    }

    private static func isBelowLimit(_ paths: String) -> Bool {
        paths.utf8.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\n") }
            .contains { OwnedCgroupName.maker(of: String(Substring($0))) != nil }
    }

    /// The path of one hierarchy in /proc/PID/cgroup: lines `number:controllers:path`, v2 with the number 0.
    ///
    /// - Note: cgroups(7), "/proc files".
    static func path(of name: String?, in text: String) -> String? {
        let wanted = name.map { Set($0.split(separator: ",")) }
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if let wanted {
                if Set(fields[1].split(separator: ",")) == wanted { return String(fields[2]) }
            } else if fields[0] == "0" && fields[1].isEmpty {
                return String(fields[2])
            }
        }
        return nil
    }

    /// Which directory of its file system is mounted at `mount`; `nil` if nothing is.
    ///
    /// - Note: proc_pid_mountinfo(5).
    private static func mountRoot(of mount: String) -> String? {
        // As above.
        guard let bytes = FileDescriptor.contentsIfReadable(of: "/proc/self/mountinfo", limit: 64 << 20)
        else { return nil }
        return mountRoot(of: mount, in: String(decoding: bytes, as: UTF8.self))
    }

    static func mountRoot(of mount: String, in mountinfo: String) -> String? {
        var root: String?
        for line in mountinfo.utf8.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            guard fields.count == 6, fields[4].elementsEqual(mount.utf8) else { continue }
            root = String(Substring(fields[3]))  // the last one lies on top
        }
        return root
    }
}

/// The rules for what becomes part of a path.
enum CgroupName {
    /// Whether `id` can name a directory and nothing else.
    static func isValid(_ id: String) -> Bool {
        guard !id.isEmpty, id.utf8.count <= 128, id != ".", id != "..", id.utf8.first != UInt8(ascii: "-") else {
            return false
        }
        return id.utf8.allSatisfy {
            ($0 >= 48 && $0 <= 57) || ($0 >= 65 && $0 <= 90) || ($0 >= 97 && $0 <= 122) || $0 == 45 || $0 == 46
                || $0 == 95 || $0 == 43
        }
    }

    /// Whether `name` can be the last part of a path that an engine chose.
    static func isComponent(_ name: String) -> Bool {
        name.utf8.count < 256 && !name.utf8.contains(UInt8(ascii: "/")) && isValid(path: name)
    }

    /// Whether each part of `path` names a directory and none leads up.
    static func isValid(path: String) -> Bool {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"))
        return !parts.isEmpty && path.utf8.count < 3072
            && parts.allSatisfy { part in
                !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
                    && !part.contains { $0 < 32 || $0 == 127 }
            }
    }
}
