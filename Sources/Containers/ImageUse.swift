import Glibc
public import Linux
import SystemPackage

/// A container that is made of an image.
public struct ImageUse: Sendable, Equatable {
    /// 64 hexadecimal digits.
    public let container: String
    public let image: ImageRoot
    public let isRunning: Bool
}

extension ContainerStore {
    /// The containers that are made of images, running or not.
    ///
    /// One that is being made or starts for the first time may not be among them: it holds its layers itself.
    ///
    /// - Throws: Also for a damaged record: what that one needs cannot be told.
    public func imageUses() throws(Failure) -> [ImageUse] {
        var uses: [ImageUse] = []
        for id in try ids() { if let use = try imageUse(of: id) { uses.append(use) } }
        return uses
    }

    private func imageUse(of id: String) throws(Failure) -> ImageUse? {
        do throws(Failure) {
            let container = try open(id: id)
            defer { container.close() }
            guard container.directory.has("config.json"), let image = try container.loadConfig().root.image else {
                return nil
            }
            return ImageUse(container: id, image: image, isRunning: try container.isSupervised())
        } catch {
            if !directory.has("containers/\(id)") { return nil }  // removed meanwhile
            throw error
        }
    }
}
