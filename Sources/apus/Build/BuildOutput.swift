import Archives
import Builder
import Containers
import Glibc
import Images
import Linux
import SystemPackage

/// `--output`: what becomes of a build's result.
struct BuildOutput {
    private enum Kind: String { case image, local, tar, oci, docker }

    private let kind: Kind
    /// `nil` for standard output.
    private let destination: String?

    /// Reads `DIR`, `-`, or `type=…[,dest=…]`.
    init(_ text: String) throws(Failure) {
        guard text.contains("=") else {
            kind = text == "-" ? .tar : .local
            destination = text == "-" ? nil : text
            return
        }
        var (kind, destination): (Kind?, String?) = (nil, nil)
        for field in text.split(separator: ",") {
            let (key, value) = try Assignments.split(String(field))
            switch key {
            case "type": kind = value.flatMap { Kind(rawValue: $0) }
            case "dest": destination = value
            default:
                throw Failure("--output", "'\(text)'", "unknown key '\(key)'", remedy: "give type= and dest=")
            }
        }
        guard let kind else {
            throw Failure(
                "--output", "'\(text)'", "no such type", remedy: "image, local, tar, oci and docker are known")
        }
        guard kind != .local || destination != nil else {
            throw Failure("--output", "'\(text)'", "has no destination", remedy: "add dest=DIR")
        }
        self.kind = kind
        self.destination = destination == "-" ? nil : destination
    }

    /// Whether it is of an image rather than of its files.
    var isImage: Bool { kind == .image || kind == .oci || kind == .docker }

    /// Whether nothing else may go to standard output.
    var takesStandardOutput: Bool { destination == nil && kind != .image }

    /// Writes the files of a stage.
    func write(_ state: BuildState, _ containers: ContainerStore) throws {
        switch kind {
        case .tar:
            let target = try StreamTarget(destination, step: "--output")
            defer { target.close() }
            try target.finishing { sink in try state.export(to: sink, containers) }
        case .local:
            let path = try BuildImage.absolute(destination ?? ".")
            do throws(SystemCallError) {
                try FileDescriptor.workingDirectory.makeDirectories(path)
            } catch {
                throw Failure("--output", path, error)
            }
            try state.copyFiles(to: path, containers)
        case .image, .oci, .docker: return
        }
    }

    /// Writes the image as an archive.
    func write(_ record: ImageRecord, as names: [ImageReference], in store: ImageStore) throws {
        guard kind == .oci || kind == .docker else { return }
        try ImageCommand.pack([record], in: store)
        let format = kind == .oci ? SaveFormat.oci : .docker
        let target = try StreamTarget(destination, step: "--output")
        defer { target.close() }
        try target.finishing { sink in try store.save([SavedImage(record, as: names)], format, to: sink) }
    }
}
