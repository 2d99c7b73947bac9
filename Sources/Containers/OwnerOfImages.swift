import CLinux
import Glibc
public import Linux
import Sandbox
import SystemPackage

extension ContainerStore {
    /// Executes this program anew as root of a user namespace with all IDs that the caller has, where the owners of files
    /// in their images exist, and waits for its end.
    ///
    /// - Parameters:
    ///   - arguments: The whole command line.
    ///   - environment: A variable more.
    /// - Returns: Its exit status, as shells count it.
    public func executeAsOwnerOfImages(
        _ arguments: [String], environment: (name: String, value: String)
    ) throws(Failure) -> Int32 {
        let users = try UserNamespace.ofCaller(id: "", store: self)
        let errand = try Errand.start(in: [.user, .mount], uids: users.uids, gids: users.gids) { () throws(Failure) in
            setenv(environment.name, environment.value, 1)
            var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
            words.append(nil)
            execv("/proc/self/exe", words)
            throw Failure("execute", "/proc/self/exe", SystemCallError("execve", "", .init(rawValue: errno)))
        }
        return try errand.status()
    }
}
