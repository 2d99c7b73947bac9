import Containers
import Images
import Linux

/// What the commands on images share.
enum ImageCommand {
    /// The images of this user.
    static func openStore() throws(Failure) -> ImageStore { try ImageStore(path: path(ContainerStore.defaultPath())) }

    /// The images beside some containers.
    static func openStore(beside containers: ContainerStore) throws(Failure) -> ImageStore {
        try ImageStore(path: path(containers.path))
    }

    private static func path(_ data: String) -> String { "\(data)/images" }

    /// The image of a name or an ID.
    static func find(_ name: String, in store: ImageStore) throws(Failure) -> ImageRecord {
        guard let record = try store.find(name) else { throw ImageStore.noSuchImage(name) }
        return record
    }

    /// Has the layers of images packed that builds have left unpacked.
    static func pack(_ images: [ImageRecord], in store: ImageStore) throws(Failure) {
        guard images.contains(where: { store.lacksBlobs($0) }) else { return }
        _ = try ContainerStore().asOwnerOfImages { () throws(Failure) in
            for image in images { try store.pack(image) }
            return []
        }
    }

    /// As `find(_:in:)`, of an image that must be for `platform` if that is given: each name has one here.
    static func find(_ name: String, for platform: String?, in store: ImageStore) throws(Failure) -> ImageRecord {
        let record = try find(name, in: store)
        guard let platform, record.platform.distance(from: try Platform(platform)) == nil else { return record }
        throw Failure(
            "find image", name, "what is here is for \(record.platform), not for \(platform)",
            remedy: "pull it with --platform \(platform)")
    }

    /// The layers that containers are made of.
    static func layersInUse(_ containers: ContainerStore) throws(Failure) -> Set<Digest> {
        var layers: Set<Digest> = []
        for use in try containers.imageUses() {
            for chain in use.image.layers { layers.insert(try Digest("sha256:\(chain)")) }
        }
        return layers
    }

    /// Says what of an image's files could not be made as it has them.
    static func report(_ remarks: ImageAssembly.Remarks) {
        if remarks.contains(.hasOneOwner) {
            Report.line("all files of the image belong to this user, who has no subordinate IDs (/etc/subuid)")
        }
        if remarks.contains(.omittedDevices) {
            Report.line("the image's device nodes are left out, which only root can make")
        }
    }

    /// How `rmi` and the prunes tell what was removed.
    static func lines(_ removed: Removed) -> [String] {
        removed.steps.map { step in
            switch step {
            case .untagged(let name): "Untagged: \(name)"
            case .deleted(let digest): "Deleted: \(digest)"
            }
        }
    }
}
