import ArgumentParser
import Containers
import Glibc
import Linux

/// `apus cp`: files between a container and this machine.
struct Copy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cp",
        abstract: "Copy files between a container and this machine",
        usage: "apus cp [OPTIONS] CONTAINER:PATH PATH|-\n       apus cp [OPTIONS] PATH|- CONTAINER:PATH",
        discussion: """
            '-' is a tar stream: from standard input into a directory, or to standard output. A directory that ends \
            with '/.' stands for what is in it.
            """)

    @Flag(name: .shortAndLong, help: "Keep user and group IDs") var archive = false
    @Flag(name: [.customShort("L"), .long], help: "Copy what the source points to, if it is a symlink")
    var followLink = false
    @Flag(
        name: .shortAndLong, inversion: .prefixedNo, help: "Say nothing of success; usual where output is no terminal")
    var quiet: Bool?
    @Argument(help: "CONTAINER:PATH, a path, or - for standard input") var source: String
    @Argument(help: "CONTAINER:PATH, a path, or - for standard output") var destination: String

    func run() throws { try reportingFailure(copy) }

    private func copy() throws {
        let target = CopyPlace(destination)
        if target == .stream, isatty(STDOUT_FILENO) == 1 {
            throw Failure("cp", "", "a tar stream would go to the terminal", remedy: "redirect it, or name a file")
        }
        var copy = ContainerCopy(try openStore())
        copy.keepsOwners = archive
        copy.followsLink = followLink
        let size = try copy.copy(from: CopyPlace(source), to: target)
        if !(quiet ?? (isatty(STDOUT_FILENO) != 1)), target != .stream {
            Report.raw("Successfully copied \(ByteSize.decimal(UInt64(clamping: size))) to \(destination)\n")
        }
    }
}
