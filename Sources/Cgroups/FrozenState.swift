import Glibc
import Linux
import SystemPackage

extension CgroupRecord {
    /// Whether its processes are stopped, or being stopped. A cgroup that is gone has none.
    ///
    /// - Note: Linux admin guide, cgroup-v1, "freezer-subsystem"; cgroup-v2, `cgroup.freeze`.
    public var isFrozen: Bool {
        switch kind {
        case .v2: Self.begins(directories["unified"], "cgroup.freeze", with: "1")
        case .v1: Self.begins(directories["freezer"] ?? lateFreezer, "freezer.state", with: "FR")
        }
    }

    /// Where the freezer's directory is if a pause has brought it in since: at the same place as the others.
    private var lateFreezer: String? {
        guard let (hierarchy, path) = directories.first else { return nil }
        return
            "\(Hierarchies.mountPoint)/freezer\(path.dropFirst(Hierarchies.mountPoint.utf8.count + 1 + hierarchy.utf8.count))"
    }

    private static func begins(_ directory: String?, _ file: String, with text: StaticString) -> Bool {
        guard let directory, let bytes = FileDescriptor.contentsIfReadable(of: "\(directory)/\(file)", limit: 64) else {
            return false
        }
        return text.withUTF8Buffer { bytes.starts(with: $0) }
    }
}
