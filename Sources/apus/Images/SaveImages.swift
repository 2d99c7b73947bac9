import Archives
import ArgumentParser
import Glibc
import Images
import Linux
import SystemPackage

/// `apus save`, `apus image save`: images as an archive.
struct SaveImages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save", abstract: "Write images as a tar archive, to standard output or a file")

    @Option(name: .shortAndLong, help: "Write to this file") var output: String?
    @Option(help: "docker-archive (default, which is an OCI layout too), oci-archive, oci-dir or docker-dir")
    var format = "docker-archive"
    @Option(help: "Take it only if it is for this platform, such as linux/arm64") var platform: String?
    @Argument(help: .image, completion: .images) var images: [String]

    func run() throws {
        let store = try ImageCommand.openStore()
        let saved = try Self.collect(images, for: platform, in: store)
        try ImageCommand.pack(saved.map(\.record), in: store)
        switch format {
        case "docker-archive", "oci-archive":
            let target = try StreamTarget(output, step: "save")
            defer { target.close() }
            let layout = format == "oci-archive" ? SaveFormat.oci : .docker
            try target.finishing { sink in try store.save(saved, layout, to: sink) }
        case "oci-dir", "docker-dir":
            guard let output else { throw UsageError("--format \(format) needs --output DIR", command: "save") }
            try store.save(saved, to: Transport(format == "oci-dir" ? .oci : .dir, path: output))
        default:
            throw UsageError(
                "--format '\(format)': docker-archive, oci-archive, oci-dir and docker-dir are known", command: "save")
        }
    }

    /// Each image once, with all the names that were given for it.
    private static func collect(
        _ texts: [String], for platform: String?, in store: ImageStore
    ) throws -> [SavedImage] {
        var images: [SavedImage] = []
        for text in texts {
            let record = try ImageCommand.find(text, for: platform, in: store)
            let isID = record.id.hex.hasPrefix(text) || text.hasPrefix("sha256:")
            let names = isID ? [] : [record.reference].compactMap { $0 }
            if let index = images.firstIndex(where: { $0.record.id == record.id }) {
                images[index] = SavedImage(images[index].record, as: images[index].names + names)
            } else {
                images.append(SavedImage(record, as: names))
            }
        }
        return images
    }
}

/// A file or standard output, as what a stream goes to: a file appears when it is whole.
struct StreamTarget {
    private let step: String
    private let path: String?
    private let file: FileDescriptor

    /// - Parameter path: `nil` for standard output, which must not be a terminal.
    init(_ path: String?, step: String) throws {
        self.step = step
        guard let path, path != "-" else {
            self.path = nil
            file = FileDescriptor(rawValue: STDOUT_FILENO)
            if isatty(STDOUT_FILENO) == 1 {
                throw Failure(
                    step, "", "an archive would go to the terminal", remedy: "use --output FILE, or redirect it")
            }
            return
        }
        // What is no plain file, a FIFO say, is written to as it is.
        var status = stat()
        let isSpecial = stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
        self.path = isSpecial ? nil : path
        do throws(SystemCallError) {
            let here = FileDescriptor.workingDirectory
            file =
                try isSpecial
                ? here.open(path, O_WRONLY) : here.open(Self.temporary(path), O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        } catch {
            throw Failure(step, path, error)
        }
    }

    private static func temporary(_ path: String) -> String { "\(path).\(getpid()).part" }

    /// Calls `body` with where its bytes go, and puts the file in place.
    func finishing(_ body: (@escaping ByteSink) throws -> Void) throws {
        let (file, step) = (file, step)
        do {
            try body { (bytes) throws(Failure) in
                do throws(SystemCallError) {
                    try file.writeFully(bytes)
                } catch {
                    throw Failure(step, "archive", error)
                }
            }
            guard let path else { return }
            guard rename(Self.temporary(path), path) == 0 else {
                throw Failure(step, path, SystemCallError("rename", path, Errno(rawValue: errno)))
            }
        } catch {
            if let path { unlink(Self.temporary(path)) }
            throw error
        }
    }

    func close() { if path != nil { file.closeQuietly() } }
}
