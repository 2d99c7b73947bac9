import Linux

/// `linux.cgroupsPath` for the cgroup file system itself.
///
/// - Note: OCI Runtime Specification, config-linux.md, "Cgroups Path".
struct CgroupsPath: Equatable {
    /// What is above relative paths, and above containers without a path.
    static let usualParent = "apus-runtime"

    /// From the root of the cgroups, without the slash at its start; may be empty.
    let parent: String
    let name: String

    var text: String { parent.isEmpty ? name : "\(parent)/\(name)" }

    /// - Returns: `nil` where none was asked.
    /// - Throws: `Failure` for a path that leads up or names nothing.
    init?(_ path: String?, id: String) throws(Failure) {
        guard let path, !path.isEmpty else {
            guard CgroupName.isComponent(id) else { throw Failure("create cgroup", id, "not a cgroup's name") }
            return nil
        }
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        guard CgroupName.isValid(path: path), let name = parts.last, CgroupName.isComponent(name) else {
            throw Failure("create cgroup", path, "not a path of cgroups")
        }
        let above = path.utf8.first == UInt8(ascii: "/") ? [] : [Self.usualParent]
        parent = (above + parts.dropLast()).joined(separator: "/")
        self.name = name
    }
}
