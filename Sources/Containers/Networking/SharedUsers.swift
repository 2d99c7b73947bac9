import Glibc
import Linux
import Networks
import Sandbox
import SystemPackage

/// The users that an ordinary user's containers have in common when they are in networks.
extension ContainerStore {
    /// Makes the namespaces in which an ordinary user's networks are; they stay as long as somebody holds them.
    func makeSharedNamespace() throws(Failure) -> NetworkPlace {
        let users = try UserNamespace.ofCaller(id: "", store: self)
        let (read, write): (FileDescriptor, FileDescriptor)
        do throws(SystemCallError) {
            (read, write) = try FileDescriptor.makePipe()
        } catch {
            throw Failure("make", "pipe", error)
        }
        defer { read.closeQuietly() }
        let errand: Errand
        do throws(Failure) {
            errand = try Errand.start(in: [.user, .network], uids: users.uids, gids: users.gids) {
                () throws(Failure) in
                write.closeQuietly()
                // Until its maker has both: the end of the pipe says so, also when the maker is killed.
                _ = try? read.readAll(limit: 1)  // `try?`: as above
            }
        } catch {
            write.closeQuietly()
            throw error
        }
        let place: NetworkPlace
        do throws(Failure) {
            place = try NetworkPlace(of: errand.pid)
        } catch {
            write.closeQuietly()
            try? errand.finish()  // `try?`: the first error is the one to report
            throw error
        }
        write.closeQuietly()
        // It may have had to map its users by itself.
        do throws(Failure) {
            try errand.finish()
            return place
        } catch {
            place.close()
            throw error
        }
    }

    /// - Throws: For a container that must have users of its own, or whose way out cannot be had.
    func checkSharing(_ config: ContainerConfig, _ network: Network, leadsOut: Bool) throws(Failure) {
        if leadsOut, let obstacle = Pasta.obstacle() { throw obstacle }
        switch config.userNamespace {
        case .standard, .host, .container: return
        case .keepID, .auto, .maps:
            throw Failure(
                "--userns", "network '\(network.name)'",
                "an ordinary user's containers in networks share one user namespace",
                remedy: "leave --userns out, or use --network pasta")
        }
    }
}
