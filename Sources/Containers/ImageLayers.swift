import CLinux
import Glibc
import Linux
import Sandbox
import SystemPackage

/// The layers of images, as containers use them.
extension Container {
    /// The directories of an image's layers, the topmost first; at least one.
    public func layerPaths(of image: ImageRoot) -> [String] {
        // An image without layers is an empty directory.
        if image.layers.isEmpty { return [mountPoint] }
        return image.layers.map { store.layerPath($0) }
    }

    /// The lower directories of the container's overlay: the image's layers, and below them the places that Apus mounts
    /// files upon. Most images have some of these places; without this layer each start would make those that are missing.
    func lowerPaths(of image: ImageRoot) throws(Failure) -> [String] {
        let path = "\(store.path)/\(Self.placesLayer)"
        do throws(SystemCallError) {
            let places = ["etc/hosts", "etc/hostname", "etc/resolv.conf"]
            // The last one says that the others are there.
            if let last = places.last, !store.directory.has("\(Self.placesLayer)/\(last)") {
                try store.directory.makeDirectories("\(Self.placesLayer)/etc")
                for place in places {
                    try store.directory.open("\(Self.placesLayer)/\(place)", O_WRONLY | O_CREAT, mode: 0o644)
                        .closeQuietly()
                }
            }
        } catch {
            throw Failure("make layer", path, error)
        }
        return layerPaths(of: image) + [path]
    }

    private static let placesLayer = "images/places"

    /// Makes a copy of what an image's layers are together, the first time the container starts.
    func copyLayers(of image: ImageRoot) throws(Failure) {
        guard !directory.has("copy") else { return }
        let paths = layerPaths(of: image)
        do throws(SystemCallError) {
            // Under another name until it is whole: a copy that is cut short is made again.
            try directory.removeTree(".copy")
            try directory.makeDirectory(".copy", mode: 0o700)
        } catch {
            throw Failure("copy root", image.reference, error)
        }
        let body = { () throws(Failure) in
            do throws(SystemCallError) {
                let to = try directory.open(".copy", O_RDONLY | O_DIRECTORY)
                defer { to.closeQuietly() }
                for path in paths.reversed() {
                    let layer = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
                    defer { layer.closeQuietly() }
                    try TreeCopy.merge(layer: layer, into: to)
                }
            } catch {
                throw Failure("copy root", image.reference, error)
            }
        }
        // The files of an ordinary user's images have owners that only exist in a user namespace.
        if geteuid() == 0 { try body() } else { try startAsOwnerOfImages(body).finish() }
        do throws(SystemCallError) {
            try check("rename", "copy") { renameat(directory.rawValue, ".copy", directory.rawValue, "copy") }
        } catch {
            throw Failure("copy root", image.reference, error)
        }
    }

    /// Keeps the layers of the container's image from being removed for as long as this process lives.
    ///
    /// - Returns: A descriptor that nobody needs to close; `nil` for a root that is no image.
    /// - Throws: When they have been removed already.
    func holdLayers(_ config: ContainerConfig) throws(Failure) -> FileDescriptor? {
        guard let image = config.root.image, let top = image.layers.first else { return nil }
        let path = "\(store.path)/images/layers/\(top)"
        do throws(SystemCallError) {
            let here = FileDescriptor.workingDirectory
            let layer = try here.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            _ = try layer.lock(exclusive: false, wait: true)
            // Whoever had the lock before may have taken it away.
            let (held, linked) = (try layer.status(), try here.status(of: path))
            guard held.st_ino == linked.st_ino, held.st_dev == linked.st_dev else {
                layer.closeQuietly()
                throw SystemCallError("open", path, .noSuchFileOrDirectory)
            }
            return layer
        } catch {
            throw Failure(
                "use image", image.reference,
                error.errno == .noSuchFileOrDirectory
                    ? "its layers are gone" : "\(error.call): \(error.errno.reason)",
                remedy: "pull it again with 'apus pull \(image.reference)'")
        }
    }
}

extension ContainerStore {
    /// Where the files of an image's layer are.
    ///
    /// - Parameter chain: The hexadecimal digits of its chain ID.
    func layerPath(_ chain: String) -> String { "\(path)/images/layers/\(chain)/diff" }
}
