import FoundationEssentials
import Glibc
import Testing

extension Apus {
    /// Makes an image of a busybox root.
    ///
    /// - Parameters:
    ///   - changes: Instructions of a Dockerfile.
    ///   - flags: Of `import`.
    ///   - prepare: A script of the host's shell, in the root before it is packed.
    /// - Returns: Its ID.
    @discardableResult
    func importImage(_ name: String, _ changes: [String] = [], flags: [String] = [], prepare: String = "true") throws
        -> String
    {
        let archive = "\(directory)/\(UInt32.random(in: 0...UInt32.max)).tar"
        // Everybody has read rights over all of a root of their own.
        let source = caller == .withoutIDs ? try makeRoot("own-\(UInt32.random(in: 0...UInt32.max))") : root
        let script = """
            set -e; cp -a '\(source)' '\(archive).root'; cd '\(archive).root'; \(prepare)
            tar -cf '\(archive)' --numeric-owner --owner 0 --group 0 .; chmod -R u+rwX .; rm -rf '\(archive).root'
            """
        let packed = try startProgram(["/bin/sh", "-c", script]).wait()
        try #require(packed.status == 0, "\(packed)")
        return try succeed(["import"] + flags + changes.flatMap { ["--change", $0] } + [archive, name])
    }
}
