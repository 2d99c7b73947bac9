import Cgroups
import Glibc
import Linux
import Sandbox
import SystemPackage

/// Which cgroup of a container a further command enters.
struct ExecCgroup {
    /// Below the container's own: by hierarchy on v1, where the empty name stands for all others.
    private let paths: [(controllers: [Substring], path: String)]

    /// - Parameter words: `PATH`, or on v1 `CONTROLLER[,CONTROLLER…]:PATH`, which must exist; none for the container's own.
    init(_ words: [String]) throws(Failure) {
        var paths: [(controllers: [Substring], path: String)] = []
        for word in words {
            let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let path = parts.last, !path.isEmpty else { throw Failure("", word, "invalid --cgroup argument") }
            paths.append((parts.count == 1 ? [] : parts[0].split(separator: ","), String(path)))
        }
        self.paths = paths
    }

    /// Opens what the command needs to enter it; the caller closes that.
    ///
    /// - Parameter initProcess: The container's init, whose cgroup is taken where the container's own has become one that
    ///   only holds others, as an init system in it makes it.
    func placement(in cgroup: any Cgroup, with initProcess: ProcessHandle) throws -> CgroupPlacement {
        guard !paths.isEmpty else {
            var placement = CgroupPlacement(target: try cgroup.cloneTarget(), joinFiles: try cgroup.joinFiles())
            if let target = placement.target, handsDownControllers(target) {
                target.closeQuietly()
                placement.target = try openCgroup(of: initProcess)
            }
            return placement
        }
        var placement = CgroupPlacement()
        do throws(Failure) {
            try add(cgroup.record, to: &placement)
        } catch {
            placement.close()
            throw error
        }
        return placement
    }

    private func add(_ record: CgroupRecord, to placement: inout CgroupPlacement) throws(Failure) {
        for (hierarchy, directory) in record.directories {
            let path = path(in: hierarchy)
            let opened = try step("join cgroup", path) { () throws(SystemCallError) in
                let top = try FileDescriptor.workingDirectory.open(directory, O_PATH | O_DIRECTORY)
                defer { top.closeQuietly() }
                return try record.kind == .v2
                    ? top.open(inRoot: path, O_RDONLY | O_DIRECTORY) : top.open(inRoot: "\(path)/tasks", O_WRONLY)
            }
            if record.kind == .v2 { placement.target = opened } else { placement.joinFiles.append(opened) }
        }
    }

    private func path(in hierarchy: String) -> String {
        let names = hierarchy.split(separator: ",")
        let named = paths.last { path in path.controllers.contains { names.contains($0) } }
        return (named ?? paths.last { $0.controllers.isEmpty })?.path ?? "."
    }

    /// Into such a cgroup the kernel lets no process.
    ///
    /// - Note: Linux admin guide, cgroup-v2, "No Internal Process Constraint".
    private func handsDownControllers(_ directory: FileDescriptor) -> Bool {
        // `try?`: the root of a hierarchy has no such file, and whatever else is wrong the clone will tell
        let text = try? directory.contents(of: "cgroup.subtree_control", limit: 4096)
        return text?.contains { $0 != UInt8(ascii: "\n") } ?? false
    }

    private func openCgroup(of process: ProcessHandle) throws(Failure) -> FileDescriptor {
        try step("join cgroup", "of init") { () throws(SystemCallError) in
            let text = try FileDescriptor.workingDirectory.contents(of: "/proc/\(process.pid)/cgroup", limit: 1 << 16)
            let line = String(decoding: text, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("0::/") }
            guard let path = line?.dropFirst("0::".utf8.count) else {
                throw SystemCallError("open", "'/proc/\(process.pid)/cgroup'", .noSuchFileOrDirectory)
            }
            return try FileDescriptor.workingDirectory.open("/sys/fs/cgroup\(path)", O_RDONLY | O_DIRECTORY)
        }
    }
}
