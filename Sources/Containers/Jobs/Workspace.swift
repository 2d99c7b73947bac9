import CLinux
import Glibc
public import Linux
import Sandbox
import SystemPackage

extension ContainerConfig {
    /// Takes down what the job begins with, and says what its user should know before it starts.
    ///
    /// - Throws: For a secret that cannot be read, and a workspace that is not the caller's.
    public mutating func prepareJob() throws(Failure) -> [String] {
        guard var options = job else { return [] }
        if let workspace = options.workspace { options.workspace = try workspace.withOwner() }
        job = options
        return try checkSecrets()
    }
}

extension WorkspaceRequest {
    /// With the owner that it has now.
    fileprivate func withOwner() throws(Failure) -> WorkspaceRequest {
        let status: FileStatus
        do throws(SystemCallError) {
            status = try FileDescriptor.workingDirectory.status(of: source)
        } catch {
            throw Failure("--workspace", "'\(source)'", error.errno.reason)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Failure("--workspace", "'\(source)'", "not a directory") }
        guard geteuid() == 0 || status.st_uid == geteuid() else {
            throw Failure("--workspace", "'\(source)'", "belongs to another user", remedy: "mount it with --volume")
        }
        var result = self
        (result.uid, result.gid) = (status.st_uid, status.st_gid)
        return result
    }
}

extension Container {
    /// Gives all files of the workspace back to whom it belonged at the beginning, whoever wrote them inside.
    func giveBackWorkspace(_ config: ContainerConfig) throws(Failure) {
        guard let workspace = config.job?.workspace else { return }
        let isRoot = geteuid() == 0
        // An ordinary user is root among all IDs that they have.
        let owner: (uid_t, gid_t) = isRoot ? (workspace.uid, workspace.gid) : (0, 0)
        let body = { () throws(Failure) in
            do throws(SystemCallError) {
                let directory = try FileDescriptor.workingDirectory.open(
                    workspace.source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                defer { directory.closeQuietly() }
                try Ownership.give(directory, to: owner)
            } catch {
                throw Failure("give back workspace", workspace.source, error)
            }
        }
        if isRoot { try body() } else { try startAsOwnerOfImages(body).finish() }
    }
}
