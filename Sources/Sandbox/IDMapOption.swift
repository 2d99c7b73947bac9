import Linux
import OCI

/// A mount option that maps IDs: `idmap` and `ridmap`, alone or with maps of the mount's own.
///
/// - Note: podman-run(1), "--volume": `idmap=uids=0-1-10#10-11-10;gids=0-100-10`, each the first ID on disk, the first one
///   shown, and how many; with `@` before it, the second one counts in the container's user namespace.
struct IDMapOption {
    let isRecursive: Bool
    /// None for those of the container.
    private let maps: String

    /// Whether `option` is one of them, which few are.
    static func isOne(_ option: String) -> Bool {
        // Every option of every mount passes here: the first byte tells most of them.
        switch option.utf8.first {
        case UInt8(ascii: "i"): option == "idmap" || option.hasPrefix("idmap=")
        case UInt8(ascii: "r"): option == "ridmap" || option.hasPrefix("ridmap=")
        default: false
        }
    }

    /// - Returns: `nil` for any other option.
    init?(_ option: String) {
        guard Self.isOne(option) else { return nil }
        isRecursive = option.hasPrefix("r")
        maps = String(option.drop { $0 != "=" }.dropFirst())
    }

    /// The mount's own maps, from the IDs on disk to those of this machine; `nil` for those of the container.
    func ownMaps(
        in linux: Spec.Linux?
    ) throws(Failure) -> (uids: [Spec.IDMapping], gids: [Spec.IDMapping])? {
        guard !maps.isEmpty else { return nil }
        var uids: [Spec.IDMapping] = []
        var gids: [Spec.IDMapping] = []
        for part in maps.split(separator: ";") {
            if part.hasPrefix("uids=") {
                uids += try read(part, linux?.uidMappings ?? [])
            } else if part.hasPrefix("gids=") {
                gids += try read(part, linux?.gidMappings ?? [])
            } else {
                throw mistake
            }
        }
        guard !uids.isEmpty, !gids.isEmpty else { throw mistake }
        return (uids, gids)
    }

    private func read(_ part: Substring, _ container: [Spec.IDMapping]) throws(Failure) -> [Spec.IDMapping] {
        var result: [Spec.IDMapping] = []
        for text in part.dropFirst("uids=".utf8.count).split(separator: "#", omittingEmptySubsequences: false) {
            let isRelative = text.hasPrefix("@")
            let numbers = text.dropFirst(isRelative ? 1 : 0).split(separator: "-", omittingEmptySubsequences: false)
                .map { UInt32($0) }
            guard numbers.count == 3, let onDisk = numbers[0], let shown = numbers[1], let size = numbers[2], size > 0,
                let host = isRelative ? Self.hostID(of: shown, container) : shown
            else { throw mistake }
            result.append(Spec.IDMapping(containerID: onDisk, hostID: host, size: size))
        }
        return result
    }

    private static func hostID(of id: UInt32, _ maps: [Spec.IDMapping]) -> UInt32? {
        if maps.isEmpty { return id }
        for map in maps where id >= map.containerID && id - map.containerID < map.size {
            return map.hostID + (id - map.containerID)
        }
        return nil
    }

    private var mistake: Failure {
        Failure(
            "map IDs", maps, "not a map of a mount (idmap)",
            remedy: "give uids=DISK-HOST-COUNT;gids=DISK-HOST-COUNT, more ranges after '#', '@' for the container's IDs"
        )
    }
}
