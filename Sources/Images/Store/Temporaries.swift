import CLinux
import Glibc
public import Linux
import SystemPackage

/// What lies in `ingest/`: nobody's, unless it is locked.
extension ImageStore {
    /// Makes a file or a directory in `ingest/` that is no leftover for as long as the result lives.
    func makeTemporary(_ kind: String, isDirectory: Bool) throws(SystemCallError) -> (name: String, held: Held) {
        while true {
            let name = Self.temporaryName(kind)
            if isDirectory { try directory.makeDirectory(name, mode: 0o711) }
            let flags = isDirectory ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT | O_EXCL
            let held: Held
            do throws(SystemCallError) {
                held = Held(try directory.open(name, flags, mode: 0o644))
            } catch  where isDirectory && error.errno == .noSuchFileOrDirectory {
                // Somebody has cleaned up between two of these calls.
                continue
            }
            _ = try held.descriptor.lock(exclusive: false, wait: true)
            if try isSame(held.descriptor, name) { return (name, held) }
        }
    }

    /// Makes a directory that is no leftover for as long as the second lives; whoever makes it removes it.
    ///
    /// - Returns: Its path, absolute.
    public func makeScratch(_ kind: String) throws(Failure) -> (path: String, held: Held) {
        do throws(SystemCallError) {
            let (name, held) = try makeTemporary(kind, isDirectory: true)
            return ("\(path)/\(name)", held)
        } catch {
            throw Failure("make directory", path, error)
        }
    }

    /// Removes what killed processes left half made.
    ///
    /// - Parameter partialBlobs: Whether partial blobs go too, with which a pull could go on.
    /// - Returns: The bytes of the blobs that went.
    @discardableResult
    func sweep(partialBlobs: Bool) throws(Failure) -> Int64 {
        try attempt("clean up", "\(path)/ingest") { () throws(SystemCallError) in
            let ingest = try directory.open("ingest", O_RDONLY | O_DIRECTORY)
            defer { ingest.closeQuietly() }
            var bytes: Int64 = 0
            for name in try ingest.entries() {
                let isPartial = Digest.Algorithm.allCases.contains { name.hasPrefix("\($0.rawValue)-") }
                guard !isPartial || partialBlobs, let file = try lockIfAbandoned(name, in: ingest) else { continue }
                let status = try file.descriptor.status()
                if status.st_mode & S_IFMT == S_IFREG { bytes += Int64(status.st_size) }
                try ingest.removeTree(name)
            }
            return bytes
        }
    }

    private func lockIfAbandoned(_ name: String, in ingest: FileDescriptor) throws(SystemCallError) -> Held? {
        do throws(SystemCallError) {
            let file = Held(try ingest.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
            return try file.descriptor.lock(wait: false) ? file : nil
        } catch  where error.errno == .noSuchFileOrDirectory {
            return nil
        }
    }
}
