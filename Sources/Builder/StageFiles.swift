public import Archives
public import Containers
import Glibc
import Images
public import Linux
import SystemPackage

/// The files of a stage, taken out of the store.
extension BuildState {
    /// Writes them as a tar stream.
    public func export(to sink: @escaping ByteSink, _ containers: ContainerStore) throws(Failure) {
        let layers = layerNames
        _ = try containers.inChildOfOwner { () throws(Failure) in
            let root = try containers.openLayers(layers)
            defer { root.closeQuietly() }
            try ImageStore.exportRoot(root, to: sink)
            return []
        }
    }

    /// Copies them into a directory; for ordinary users all of them are their own then.
    public func copyFiles(to path: String, _ containers: ContainerStore) throws(Failure) {
        let layers = layerNames
        let isRoot = geteuid() == 0
        _ = try containers.inChildOfOwner { () throws(Failure) in
            let tree = SourceTree(
                root: try containers.openLayers(layers), name: "the stage", keepsOwners: isRoot)
            let plan = try CopyPlan(["/"], in: tree)
            try CopyWork(from: tree, CopyOptions(destination: "\(path)/")).run(plan)
            return []
        }
    }
}
