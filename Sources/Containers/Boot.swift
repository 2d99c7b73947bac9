import CLinux
import Glibc
import Linux
import SystemPackage

extension ContainerStore {
    /// Takes stock when the machine has been started anew: no container is alive, whatever its record says.
    ///
    /// `alive` comes last, because other commands go on as soon as it is there; until then they wait here.
    func beginBoot() throws(SystemCallError) {
        let lock = try live.open(".", O_RDONLY | O_DIRECTORY)
        defer { lock.closeQuietly() }
        _ = try lock.lock(wait: true)
        if live.has("alive") { return }  // another command has been faster
        try live.removeTree(Self.unfinished)  // of one that was killed
        for name in ["containers", Self.unfinished] { try live.makeDirectory(name, mode: 0o711) }
        try reconcileAll()
        try check("rename", "'alive'") { renameat(live.rawValue, Self.unfinished, live.rawValue, "alive") }
    }

    private static let unfinished = ".alive"

    private func reconcileAll() throws(SystemCallError) {
        let containers = try directory.open("containers", O_RDONLY | O_DIRECTORY)
        defer { containers.closeQuietly() }
        for id in try containers.entries() where Self.isID(id) {
            do throws(Failure) {
                try Reconciliation(store: self, id: id).run()
            } catch {
                // With this mark each sweep tries again, and says what is wrong.
                try live.open("\(Self.unfinished)/\(id)", O_WRONLY | O_CREAT | O_NOFOLLOW).closeQuietly()
            }
        }
    }
}

extension Container {
    /// Where it is in its life; `nil` while it is being made.
    ///
    /// A record that says "running" but is of an earlier boot is being put right by the command that found it first:
    /// this waits for that.
    public func loadSettledState() throws(Failure) -> ContainerState? {
        let state = try loadStateIfPresent()
        guard case .running(let running)? = state?.status, running.bootID != Boot.id else { return state }
        try waitUntilUnsupervised()
        return try loadStateIfPresent()
    }
}
