import ArgumentParser
import Glibc
import Images
import Linux
import SystemPackage

/// `apus load`, `apus image load`: images from an archive.
struct LoadImages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Take images from an archive that 'save' of Apus, Docker, Podman or skopeo has written")

    @Option(name: .shortAndLong, help: "Read this file, or a directory such as oci:DIR, not standard input")
    var input: String?
    @Flag(name: .shortAndLong, help: "Accepted as in Docker: there is no progress to be left out") var quiet = false
    @Option(help: "Take the image for this platform, such as linux/arm64") var platform: String?

    func run() throws {
        try OwnerProcess.enter()
        let store = try ImageCommand.openStore()
        let platform = try platform.map { text throws(Failure) in try Platform(text) } ?? .host
        for image in try load(store, platform) {
            ImageCommand.report(image.remarks)
            if image.names.isEmpty { Output.line("Loaded image ID: \(image.record.id)") }
            for name in image.names { Output.line("Loaded image: \(name.familiar)") }
        }
    }

    private func load(_ store: ImageStore, _ platform: Platform) throws -> [LoadedImage] {
        guard let input, input != "-" else {
            if isatty(STDIN_FILENO) == 1 {
                throw Failure("load", "", "no archive on standard input", remedy: "use --input FILE, or redirect it")
            }
            return try store.load(
                from: FileDescriptor(rawValue: STDIN_FILENO), named: "standard input", platform: platform)
        }
        if let transport = Transport(input) { return try store.load(transport, platform: platform) }
        var status = stat()
        let isDirectory = stat(input, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        return try store.load(Transport(isDirectory ? .oci : .dockerArchive, path: input), platform: platform)
    }
}
