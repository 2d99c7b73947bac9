import Linux
import OCI

/// `mounts`: config.md, "Mounts".
extension SpecCheck {
    mutating func checkMounts(_ bundle: String) throws(SpecError) {
        guard var mounts = spec.mounts, !mounts.isEmpty else { return }
        for index in mounts.indices { try examine(&mounts[index], at: "mounts[\(index)]", bundle) }
        withMounts(mounts)
    }

    private mutating func examine(
        _ mount: inout Spec.Mount, at path: String, _ bundle: String
    ) throws(SpecError) {
        guard !mount.destination.isEmpty else { return try refuse("\(path).destination", "empty") }
        if !Self.isAbsolute(mount.destination) {
            warn("\(path).destination: '\(mount.destination)' is not absolute; taken from the container's root")
            mount.destination = "/\(mount.destination)"
        }
        let options = MountOptions(mount.options ?? [])
        let isBind = (options.isBind || mount.type == "bind") && !options.isRemount
        if isBind {
            guard let source = mount.source, !source.isEmpty else {
                return try refuse("\(path).source", "a bind mount wants one")
            }
            mount.source = Self.absolute(source, bundle)
        } else if !options.isRemount, mount.type == nil || mount.type == "none" || mount.type == "" {
            try refuse("\(path).type", "missing, and there is no option 'bind'")
        }
        try checkMaps(mount, isBind: isBind, at: path)
        if options.copiesUp, mount.type != "tmpfs" {
            try refuse("\(path).options", "'tmpcopyup' is for a tmpfs alone")
        }
    }

    private func checkMaps(_ mount: Spec.Mount, isBind: Bool, at path: String) throws(SpecError) {
        let hasOption = mount.options?.contains { IDMapOption.isOne($0) } ?? false
        guard hasOption || mount.uidMappings != nil || mount.gidMappings != nil else { return }
        let field = hasOption ? "options" : "uidMappings"
        guard isBind else { return try refuse("\(path).\(field)", "only a bind mount can have its IDs mapped") }
        guard (mount.uidMappings == nil) == (mount.gidMappings == nil) else {
            return try refuse("\(path).uidMappings", "uidMappings and gidMappings want each other")
        }
        let hasOwn = mount.uidMappings != nil || mount.options?.contains { $0.contains("idmap=") } ?? false
        if !hasOwn, !ownsUserNamespace {
            try refuse("\(path).options", "'idmap' without mappings wants a user namespace in linux.namespaces")
        }
        try checkRanges(mount.uidMappings ?? [], at: "\(path).uidMappings")
        try checkRanges(mount.gidMappings ?? [], at: "\(path).gidMappings")
    }

    /// - Note: user_namespaces(7): at least one and at most 340 ranges, which do not meet.
    func checkRanges(_ maps: [Spec.IDMapping], at path: String) throws(SpecError) {
        if maps.count > 340 { try refuse(path, "\(maps.count) ranges are more than the kernel's 340") }
        for (index, map) in maps.enumerated() {
            let place = "\(path)[\(index)]"
            if map.size == 0 { try refuse("\(place).size", "0 maps nothing") }
            if UInt64(map.containerID) + UInt64(map.size) > UInt64(UInt32.max) {
                try refuse("\(place).containerID", "the range ends beyond 4294967294")
            }
            if UInt64(map.hostID) + UInt64(map.size) > UInt64(UInt32.max) {
                try refuse("\(place).hostID", "the range ends beyond 4294967294")
            }
            for other in maps[..<index] {
                if Self.meet(map.containerID, map.size, other.containerID, other.size) {
                    try refuse("\(place).containerID", "the range meets another one")
                }
                if Self.meet(map.hostID, map.size, other.hostID, other.size) {
                    try refuse("\(place).hostID", "the range meets another one")
                }
            }
        }
    }

    private static func meet(_ first: UInt32, _ size: UInt32, _ second: UInt32, _ otherSize: UInt32) -> Bool {
        UInt64(first) < UInt64(second) + UInt64(otherSize) && UInt64(second) < UInt64(first) + UInt64(size)
    }
}
