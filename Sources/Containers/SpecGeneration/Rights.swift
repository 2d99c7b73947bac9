import Linux
import OCI

/// Capabilities and hidden paths.
extension SpecGeneration {
    /// What root in a container may do: smaller than Docker's set by MKNOD, NET_RAW and AUDIT_WRITE.
    static let defaultCapabilities = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
        "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
    ]

    /// The capability sets. `ALL` may be added with others dropped, or dropped with others added.
    ///
    /// - Throws: For one asked for by name that this machine's root cannot give.
    func capabilities() throws(Failure) -> Spec.Capabilities {
        let granted = grantedCapabilities
        try checkAdded(among: granted)
        var sets = Spec.Capabilities(bounding: granted, effective: granted, permitted: granted)
        // The kernel takes all of these from a user other than root when the program starts. What was asked for by name
        // is meant for that user, and stays by way of the ambient set.
        let named = config.addedCapabilities.filter { $0 != "ALL" && granted.contains($0) }
        if !isRootInside, !named.isEmpty {
            sets.inheritable = named
            sets.ambient = named
        }
        return sets
    }

    private var grantedCapabilities: [String] {
        let (added, dropped) = (config.addedCapabilities, config.droppedCapabilities)
        if config.privileged { return everyCapability }
        if added.contains("ALL") { return everyCapability.filter { !dropped.contains($0) } }
        let start = dropped.contains("ALL") ? [] : Self.defaultCapabilities.filter { !dropped.contains($0) }
        return start + SecuritySyntax.capabilities.filter { added.contains($0) && !start.contains($0) }
    }

    /// A new user namespace comes with all of them; otherwise nobody can give what he does not have.
    private var everyCapability: [String] {
        userNamespace == nil ? facts.grantableCapabilities() : SecuritySyntax.capabilities
    }

    private func checkAdded(among granted: [String]) throws(Failure) {
        guard !config.addedCapabilities.isEmpty, userNamespace == nil else { return }
        let grantable = facts.grantableCapabilities()
        for name in config.addedCapabilities where granted.contains(name) && !grantable.contains(name) {
            throw Failure(
                "--cap-add \(name.dropFirst("CAP_".count))", "", "root here lacks that capability itself",
                remedy:
                    "leave it out, or use --userns auto, where root has every capability over what is the container's")
        }
    }

    private var isRootInside: Bool {
        if config.user.isEmpty, case .keepID = config.userNamespace { return false }
        let name = config.user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        return name.isEmpty || name == "root" || UInt32(name) == 0
    }

    // The lists are moby's (oci/defaults.go) but for the thermal throttling of each CPU, which /sys shows on bare metal.
    private static let defaultMaskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
        "/sys/firmware",
    ]
    private static let defaultReadOnlyPaths = [
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
    ]

    var maskedPaths: [String]? { protected(Self.defaultMaskedPaths) + config.maskedPaths }

    var readOnlyPaths: [String]? { protected(Self.defaultReadOnlyPaths) }

    private func protected(_ paths: [String]) -> [String] {
        if config.privileged || config.unmaskedPaths.contains("ALL") { return [] }
        return config.unmaskedPaths.isEmpty ? paths : paths.filter { !config.unmaskedPaths.contains($0) }
    }
}
