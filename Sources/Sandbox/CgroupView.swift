import Cgroups
import Linux
import SystemPackage

/// A cgroup directory of the container, to be shown inside it.
struct CgroupView {
    /// The hierarchy's name on v1 (`memory`); empty on v2.
    let name: String
    /// Detached mount of the directory.
    let tree: FileDescriptor

    /// Takes hold of the directories while the host's tree can still be reached.
    static func open(_ directories: [CgroupShown]) throws(Failure) -> [CgroupView] {
        var views: [CgroupView] = []
        for shown in directories {
            let tree = try step("mount", shown.path) { () throws(SystemCallError) in try Mount.clone(shown.path) }
            views.append(CgroupView(name: shown.name, tree: tree))
        }
        return views
    }
}
