import ArgumentParser
import Glibc
import Linux
import Registries
import SystemPackage

/// `apus __fetch`: a download, in a process of its own: it has threads, and whoever builds has one.
struct FetchFile: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "__fetch", abstract: "Download a file for a build", shouldDisplay: false)

    @Argument var address: String
    @Argument var path: String

    func run() throws {
        let file: FileDescriptor
        do throws(SystemCallError) {
            file = try FileDescriptor.workingDirectory.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        } catch {
            throw Failure("download", address, error)
        }
        defer { file.closeQuietly() }
        try Download.run(address, to: file)
    }
}
