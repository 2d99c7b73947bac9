import Glibc
import Linux
public import OCI
import SystemPackage

extension Probe {
    /// Everything that a container's start on this machine may need, in the order that it needs it.
    ///
    /// - Parameters:
    ///   - directory: The data directory, where containers keep their layers.
    ///   - uids: The user IDs that a container of this user would have; none when there is only its own.
    ///   - gids: The group IDs likewise.
    public static func all(directory: String, uids: [Spec.IDMapping], gids: [Spec.IDMapping]) -> [Probe] {
        var probes = systemCalls + [userNamespaces]
        if uids.contains(where: { $0.size > 1 }) { probes.append(subordinateIDs(uids: uids, gids: gids)) }
        probes += namespaces + [overlay(in: directory), hostRoot(in: directory)] + filesystems
        return probes + [hardLimits]
    }
}
