import Glibc
import Linux
import OCI
import Sandbox

/// Isolation piece by piece: each flag's namespace and mounts.
extension LimitConfig.Isolation {
    func apply(to spec: inout Spec) throws(Failure) {
        if usesLandlock {
            try LandlockConfinement.require()
            spec.process?.noNewPrivileges = true
            return
        }
        var namespaces: [Spec.Namespace] = []
        let isPrivileged = try Self.mayMakeNamespaces()
        // It maps the caller to itself: nobody else exists in there, and setuid files give nobody's rights.
        if !isPrivileged {
            namespaces.append(Spec.Namespace(type: .user))
            spec.linux?.uidMappings = [Spec.IDMapping(containerID: geteuid(), hostID: geteuid(), size: 1)]
            spec.linux?.gidMappings = [Spec.IDMapping(containerID: getegid(), hostID: getegid(), size: 1)]
        } else if egress != nil {
            // Pasta has no rights of root's: the network namespace must belong to a user namespace, with everybody in it.
            namespaces.append(Spec.Namespace(type: .user))
            spec.linux?.uidMappings = [Spec.IDMapping(containerID: 0, hostID: 0, size: .max)]
            spec.linux?.gidMappings = [Spec.IDMapping(containerID: 0, hostID: 0, size: .max)]
        }
        if changesMounts { namespaces.append(Spec.Namespace(type: .mount)) }
        if noNetwork || egress != nil { namespaces.append(Spec.Namespace(type: .network)) }
        if newPIDs { namespaces.append(Spec.Namespace(type: .pid)) }
        spec.linux?.namespaces = namespaces
        spec.mounts = mounts()
        spec.linux?.maskedPaths = hidden
        if geteuid() == 0 { spec.process?.capabilities = try Self.capabilitiesThatUndoNothing() }
    }

    /// `nil` with namespaces.
    var confinement: LandlockConfinement? {
        usesLandlock
            ? LandlockConfinement(readOnlyBut: readOnly ? writable : nil, hidden: hidden, noNetwork: noNetwork) : nil
    }

    private func mounts() -> [Spec.Mount] {
        var mounts: [Spec.Mount] = []
        if readOnly {
            // What is written there goes to the kernel and to devices, whose own rules hold; /dev/shm is memory.
            for path in ["/dev", "/sys"] + (newPIDs ? [] : ["/proc"]) { mounts.append(Self.bind(path)) }
        }
        if newPIDs {
            mounts.append(
                Spec.Mount(
                    destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "nodev", "noexec"]))
        }
        if privateTemporary {
            for path in ["/tmp", "/var/tmp"] {
                mounts.append(
                    Spec.Mount(
                        destination: path, type: "tmpfs", source: "tmpfs", options: ["mode=1777", "nosuid", "nodev"]))
            }
        }
        return mounts + writable.map(Self.bind)
    }

    /// A directory over itself, with all mounts below it.
    private static func bind(_ path: String) -> Spec.Mount {
        Spec.Mount(destination: path, type: "bind", source: path, options: ["rbind"])
    }

    private static func mayMakeNamespaces() throws(Failure) -> Bool {
        guard geteuid() == 0 else { return false }
        return try effective().contains(CapabilitySet.reading(["CAP_SYS_ADMIN"]).set)
    }

    private static func effective() throws(Failure) -> CapabilitySet {
        do throws(SystemCallError) {
            return try Capabilities.effective()
        } catch {
            throw Failure("read", "capabilities", error)
        }
    }

    /// Root could unmount what hides a directory, or go through another process to what is not hidden there.
    private static func capabilitiesThatUndoNothing() throws(Failure) -> Spec.Capabilities {
        let undoing = [
            "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_BOOT", "CAP_MKNOD",
            "CAP_DAC_READ_SEARCH", "CAP_BPF", "CAP_PERFMON", "CAP_CHECKPOINT_RESTORE", "CAP_NET_ADMIN",
        ]
        let kept = try effective().names.filter { !undoing.contains($0) }
        return Spec.Capabilities(bounding: kept, effective: kept, permitted: kept)
    }
}
