import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// Copies a container's artifacts when it has ended.
struct Artifacts {
    let options: JobOptions
    /// Where patterns begin that are not absolute.
    let workingDirectory: String
    /// The container's mount namespace, which shows all that it saw: its root, volumes, and file systems in memory.
    let mounts: FileDescriptor
    let spec: Spec

    /// The most bytes of one artifact where nothing was said, in all its files.
    static let usualLimit: Int64 = 1 << 30

    /// Copies all of them; one that fails does not keep the others.
    ///
    /// - Returns: The first failure.
    func copy() -> Failure? {
        var first: Failure?
        for request in options.artifacts {
            do {
                try copy(request)
            } catch {
                let failure = error as? Failure ?? Failure("copy artifact", request.pattern, "\(error)")
                Report.line("\(failure)")
                if first == nil { first = failure }
            }
        }
        return first
    }

    private func copy(_ request: ArtifactRequest) throws {
        do throws(SystemCallError) {
            try FileDescriptor.workingDirectory.makeDirectories(request.destination)
        } catch {
            throw Failure("copy artifact", request.destination, error.errno.reason)
        }
        let pattern = ArtifactPattern(
            request.pattern.isAbsolutePath ? request.pattern : "\(workingDirectory)/\(request.pattern)")
        let limit = options.artifactLimit ?? Self.usualLimit
        let target = CopyTarget(
            path: request.destination, inContainer: false, keepsOwners: false, takesUserStream: true)
        _ = try CopyTransfer.transfer(
            { (stream) throws(Failure) in
                try ArtifactReader(pattern, subject: request.pattern, limit: limit, to: stream).write()
            }, .inside(.ended(mounts: mounts, spec: spec)), to: target, .outside(confined: true))
    }
}
