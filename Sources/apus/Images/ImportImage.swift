import ArgumentParser
import Containers
import Glibc
import Images
import Linux
import SystemPackage

/// `apus import`, `apus image import`: an image from the tar archive of a root file system.
struct ImportImage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make an image of a tar archive of a root file system")

    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: "Set what containers do, by an instruction of a Dockerfile: 'CMD [\"sh\"]'")
    var change: [String] = []
    @Option(name: .shortAndLong, help: "What the history says of it") var message = ""
    @Option(help: "What it runs on, such as linux/arm64") var platform: String?
    @Argument(help: ArgumentHelp("The archive, compressed or not; - for standard input", valueName: "file"))
    var file: String
    @Argument(help: ArgumentHelp("The image's name", valueName: "name[:tag]")) var name: String?

    func run() throws {
        try OwnerProcess.enter()
        let changes = try change.map { text throws(Failure) in try ImageChange(text) }
        let platform = try platform.map { text throws(Failure) in try Platform(text) } ?? .host
        let names = try name.map { text throws(Failure) in [try ImageReference(text)] } ?? []
        let store = try ImageCommand.openStore()
        let record: ImageRecord
        do throws(Failure) {
            record = try makeImage(platform, changes, names, store)
        } catch {
            throw error.about("import", file == "-" ? "standard input" : file)
        }
        ImageCommand.report(try store.remarks(on: record))
        Output.line(record.id.description)
    }

    private func makeImage(
        _ platform: Platform, _ changes: [ImageChange], _ names: [ImageReference], _ store: ImageStore
    ) throws(Failure) -> ImageRecord {
        let layer = try makeLayer(store)
        let now = Timestamp.now.rfc3339
        let comment = message.isEmpty ? "Imported from \(file)" : message
        return try store.makeImage(
            from: nil, adding: layer, step: .init(created: now, comment: comment), as: names
        ) { (config) throws(Failure) in
            (config.os, config.architecture) = (platform.os, platform.architecture)
            config.variant = platform.variant
            for change in changes { try change.apply(to: &config) }
        }
    }

    private func makeLayer(_ store: ImageStore) throws(Failure) -> NewLayer {
        let archive: FileDescriptor
        do throws(SystemCallError) {
            archive =
                try file == "-"
                ? FileDescriptor(rawValue: STDIN_FILENO) : FileDescriptor.workingDirectory.open(file, O_RDONLY)
        } catch {
            throw Failure("import", file, error)
        }
        let subject = file == "-" ? "standard input" : file
        return try store.makeLayer(ofArchive: { (buffer) throws(Failure) in
            while true {
                let count = read(archive.rawValue, buffer.baseAddress, buffer.count)
                if count >= 0 { return count }
                guard errno == EINTR else {
                    throw Failure("import", subject, SystemCallError("read", subject, Errno(rawValue: errno)))
                }
            }
        })
    }
}
