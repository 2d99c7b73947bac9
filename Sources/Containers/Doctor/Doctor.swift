import CLinux
import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// Finds out what containers can do on this machine by doing what a start does, in child processes.
public struct Doctor: Sendable {
    let store: ContainerStore

    public init(_ store: ContainerStore) {
        self.store = store
    }

    /// Tries everything, in the order that a start needs it.
    ///
    /// - Returns: What was found, the default run last; whether that one works.
    public func examine() -> (findings: [Finding], canRun: Bool) {
        let rehearsal = Rehearsal(store: store)
        var findings = [dataDirectory()]
        let mappings = rehearsal.defaultMappings()
        let probes = Probe.all(directory: store.path, uids: mappings.uids, gids: mappings.gids)
        findings += probes.map { probe in
            probe.run().map { Finding(probe.capability, $0) } ?? Finding(probe.capability, works: true, probe.meaning)
        }
        findings += [helper("newuidmap", "uidmap"), helper("newgidmap", "uidmap")]
        if mappings.uids.count < 2 && geteuid() != 0 { findings.append(noSubordinateIDs) }
        findings += LimitExamination().findings()
        findings += [helper("pasta", "passt"), helper("nft", "nftables")]
        let run = rehearsal.defaultRun()
        return (findings + [run], run.works)
    }

    private func helper(_ name: String, _ package: String) -> Finding {
        guard let path = Helper.find(name) else {
            return Finding(name, works: false, "not found on this machine", remedy: "apt install \(package)")
        }
        return Finding(name, works: true, path)
    }

    private var noSubordinateIDs: Finding {
        let user = getenv("USER").map { String(cString: $0) } ?? "\(geteuid())"
        return Finding(
            "subordinate IDs", works: false, "none in /etc/subuid and /etc/subgid: only one ID exists in a container",
            remedy: "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \(user)")
    }

    /// Whether containers can be recorded, and on what.
    private func dataDirectory() -> Finding {
        do throws(SystemCallError) {
            let name = ".doctor.\(getpid())"
            try store.directory.replaceFile(name, with: "apus".utf8, durable: true)
            try store.directory.remove(name)
            return Finding("data directory", works: true, "\(store.path) on \(try filesystem())")
        } catch {
            return Finding(
                "data directory", Failure("write", store.path, error, remedy: "choose another with --root or APUS_ROOT")
            )
        }
    }

    /// The file system's name and its free space.
    private func filesystem() throws(SystemCallError) -> String {
        var status = statfs()
        try check("fstatfs", "'\(store.path)'") { fstatfs(store.directory.rawValue, &status) }
        let free = UInt64(status.f_bavail) * UInt64(status.f_bsize)
        let name = Self.filesystemNames[UInt32(truncatingIfNeeded: status.f_type)]
        return "\(name ?? "a file system of type 0x\(String(UInt32(truncatingIfNeeded: status.f_type), radix: 16))"), "
            + "\(free >> 20) MiB free"
    }

    /// - Note: statfs(2).
    private static let filesystemNames: [UInt32: String] = [
        0xef53: "ext4", 0x5846_5342: "xfs", 0x9123_683e: "btrfs", 0x0102_1994: "tmpfs", 0x794c_7630: "overlay",
        0x2fc1_2fc1: "zfs", 0x6969: "nfs", 0x0bd0_0bd0: "lustre", 0x6573_5546: "fuse", 0xf2f5_2010: "f2fs",
        0x4750_4653: "gpfs", 0x0102_1997: "9p",
    ]
}
