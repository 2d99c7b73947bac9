import CLinux
import Glibc
import Linux
import SystemPackage

/// Automatic IDs, which no two containers have at the same time.
///
/// A container that exists has them: they are a symlink in its directory, which appears with its content and in one call,
/// and goes with the directory, however the container ended. A container that is started again finds its files its own.
extension Container {
    private static let lease = "ids"

    /// The slot that this container has, or one that no other has from now on.
    func lease(_ slots: IDSlots) throws(Failure) -> IDSlot {
        if let own = Self.leased(by: ".", in: directory) { return own }
        do throws(SystemCallError) {
            let containers = try store.directory.open("containers", O_RDONLY | O_DIRECTORY)
            defer { containers.closeQuietly() }
            // Held while looking and taking, so that nobody takes the same.
            _ = try containers.lock(wait: true)
            let taken = try containers.entries().compactMap { Self.leased(by: $0, in: containers) }
            guard let slot = slots.free(from: UInt32(id.prefix(7), radix: 16) ?? 0, besides: taken) else {
                throw SystemCallError("", "", .noSpace)
            }
            try check("symlink", "'ids'") { symlinkat(slot.text, directory.rawValue, Self.lease) }
            return slot
        } catch  where error.errno == .noSpace && error.call.isEmpty {
            throw Failure(
                "--userns", "'auto'", "other containers have all the IDs (\(slots.count) times \(slots[0].size))",
                remedy: "remove some of them, or have more IDs added to /etc/subuid and /etc/subgid")
        } catch {
            throw Failure("--userns", "'auto'", error)
        }
    }

    private static func leased(by container: String, in directory: FileDescriptor) -> IDSlot? {
        directory.linkTarget(of: "\(container)/\(lease)").flatMap(IDSlot.init(text:))
    }
}
