public import Containers
public import Dockerfiles
import Glibc
public import Images
import Linux
import OCI
public import SystemPackage

/// What all stages of a build share.
public final class BuildSurroundings {
    let containers: ContainerStore
    let images: ImageStore
    let options: BuildOptions
    let dockerfile: Dockerfile
    /// The build context.
    let context: SourceTree
    let contextPath: String
    let digests: FileDigests
    /// Where digests are kept.
    let store: FileDescriptor?
    /// Finds an image, and pulls it if need be.
    let findImage: (String, Platform) throws -> ImageRecord
    let progress: BuildProgress

    /// - Parameters:
    ///   - context: The build context's directory, open.
    ///   - contextPath: Its path, which names what is known of its files.
    ///   - findImage: Finds an image by its name for a platform, and pulls it if need be.
    public init(
        _ dockerfile: Dockerfile, _ options: BuildOptions, context: FileDescriptor, contextPath: String,
        ignoring rules: ContextRules, containers: ContainerStore, images: ImageStore, progress: BuildProgress,
        findImage: @escaping (String, Platform) throws -> ImageRecord
    ) {
        self.dockerfile = dockerfile
        self.options = options
        self.containers = containers
        self.images = images
        self.progress = progress
        self.findImage = findImage
        self.contextPath = contextPath
        var tree = SourceTree(root: context, name: "the build context", keepsOwners: false)
        tree.rules = rules
        self.context = tree
        // `try?` here and below: where they cannot be kept, files are read anew
        let folder = try? FileDescriptor.workingDirectory.open(images.path, O_RDONLY | O_DIRECTORY)
        if let folder { _ = try? folder.makeDirectory("build", mode: 0o711) }
        store = try? folder?.open("build", O_RDONLY | O_DIRECTORY)
        digests = FileDigests(in: store, context: contextPath)
    }

    /// The names of given arguments that nothing takes.
    public var unusedArguments: [String] { dockerfile.unusedArguments(among: options.arguments.map(\.name)) }

    /// The moment that a step's record and the image's history tell.
    var now: String {
        options.timestamp.map { Timestamp(nanoseconds: UInt64(clamping: $0) &* 1_000_000_000).rfc3339 }
            ?? Timestamp.now.rfc3339
    }
}
