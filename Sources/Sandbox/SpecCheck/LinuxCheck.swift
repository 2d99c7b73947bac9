import Glibc
import Linux
import OCI

/// The rest of config-linux.md: devices, memory policy, personality, propagation, paths, labels, seccomp.
extension SpecCheck {
    var isRoot: Bool { geteuid() == 0 }

    func checkDevices(_ devices: [Spec.Device]) throws(SpecError) {
        for (index, device) in devices.enumerated() {
            let path = "linux.devices[\(index)]"
            guard Self.isAbsolute(device.path) else {
                return try refuse("\(path).path", "'\(device.path)' is not an absolute path")
            }
            switch device.type {
            case "c", "u", "b":
                // The kernel's own split: 12 bits and 20.
                guard (0..<1 << 12).contains(device.major), (0..<1 << 20).contains(device.minor) else {
                    return try refuse(path, "\(device.major):\(device.minor) is not a device number")
                }
            case "p": break
            default: try refuse("\(path).type", "'\(device.type)' is not c, u, b or p")
            }
            if let mode = device.fileMode, mode & ~0o177777 != 0 {
                try refuse("\(path).fileMode", "\(mode) is more than permission bits")
            }
        }
    }

    func checkPlacement(_ linux: Spec.Linux) throws(SpecError) {
        if let policy = linux.memoryPolicy { try check(policy) }
        guard let personality = linux.personality else { return }
        guard personality.domain == "LINUX" || personality.domain == "LINUX32" else {
            return try refuse("linux.personality.domain", "'\(personality.domain)' is not LINUX or LINUX32")
        }
        if let flag = personality.flags?.first {
            try refuse("linux.personality.flags[0]", "'\(flag)': the specification has no flags")
        }
    }

    private func check(_ policy: Spec.MemoryPolicy) throws(SpecError) {
        guard Spec.MemoryPolicy.number(ofMode: policy.mode) != nil else {
            return try refuse("linux.memoryPolicy.mode", "'\(policy.mode)' is not a mode of set_mempolicy(2)")
        }
        for (index, flag) in (policy.flags ?? []).enumerated() where Spec.MemoryPolicy.flag(named: flag) == nil {
            try refuse("linux.memoryPolicy.flags[\(index)]", "'\(flag)' is not a flag of set_mempolicy(2)")
        }
        let nodes = policy.nodes ?? ""
        guard nodes.isEmpty || NumberList(nodes) != nil else {
            return try refuse("linux.memoryPolicy.nodes", "'\(nodes)' is not a list of nodes such as 0-3,7")
        }
        switch policy.mode {
        case "MPOL_DEFAULT", "MPOL_LOCAL":
            if !nodes.isEmpty { try refuse("linux.memoryPolicy.nodes", "\(policy.mode) takes none") }
        case "MPOL_PREFERRED": break
        default: if nodes.isEmpty { try refuse("linux.memoryPolicy.nodes", "\(policy.mode) wants at least one") }
        }
    }

    func checkConfinement(_ linux: Spec.Linux) throws(SpecError) {
        if let name = linux.rootfsPropagation, !name.isEmpty, Propagation.reading(name) == nil {
            try refuse("linux.rootfsPropagation", "'\(name)' is not shared, slave, private or unbindable")
        }
        try checkPaths(linux.maskedPaths ?? [], "maskedPaths")
        try checkPaths(linux.readonlyPaths ?? [], "readonlyPaths")
        if let label = linux.mountLabel, !label.isEmpty, !SecurityModules.hasSELinux {
            try refuse("linux.mountLabel", "'\(label)' cannot act: this kernel has SELinux not enabled")
        }
        if let seccomp = linux.seccomp { try check(seccomp) }
    }

    private func checkPaths(_ paths: [String], _ field: String) throws(SpecError) {
        for (index, path) in paths.enumerated() where !Self.isAbsolute(path) {
            try refuse("linux.\(field)[\(index)]", "'\(path)' is not an absolute path")
        }
    }

    private func check(_ seccomp: Spec.Seccomp) throws(SpecError) {
        let path = "linux.seccomp"
        let listener = seccomp.listenerPath ?? ""
        if !(seccomp.listenerMetadata ?? "").isEmpty, listener.isEmpty {
            try refuse("\(path).listenerMetadata", "must not be there without listenerPath")
        }
        if listener.isEmpty, seccomp.notifies {
            try refuse("\(path).listenerPath", "missing, and a rule's action is notify")
        }
        if !listener.isEmpty, !Self.isAbsolute(listener) {
            try refuse("\(path).listenerPath", "'\(listener)' is not an absolute path")
        }
        for (index, rule) in (seccomp.syscalls ?? []).enumerated() where rule.names.isEmpty {
            try refuse("\(path).syscalls[\(index)].names", "there must be at least one")
        }
    }
}
