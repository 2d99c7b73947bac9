import Containers
import Glibc
import Linux

/// An ordinary user's commands that touch files of layers run as root of a user namespace, in which the owners of those
/// files exist.
enum OwnerProcess {
    /// In the environment of such a process.
    private static let mark = "APUS_IS_OWNER"

    /// Goes on as root of the user's images: at once for root, and else in a child that executes this command anew. It is
    /// made before this process has a second thread.
    ///
    /// - Parameter words: What the child is told in place of this process' own words.
    /// - Throws: The child's exit status, when it has ended.
    static func enter(saying words: [String]? = nil) throws {
        guard geteuid() != 0 else { return }
        guard getenv(mark) == nil else {
            throw Failure("enter user namespace", "", "its root user is not root", remedy: "unset \(mark)")
        }
        let store = try ContainerStore()
        setenv("APUS_ROOT", store.path, 1)
        let arguments = words.map { ["apus"] + $0 } ?? CommandLine.arguments
        let status = try store.executeAsOwnerOfImages(arguments, environment: (mark, "1"))
        throw Ended(status: status)
    }

    /// Whether this is the machine's root, and not that of a user namespace which `enter` has made.
    static var isMachineRoot: Bool { geteuid() == 0 && getenv(mark) == nil }

    /// How the child ended, which has said all there is to say.
    struct Ended: Error {
        let status: Int32
    }
}
