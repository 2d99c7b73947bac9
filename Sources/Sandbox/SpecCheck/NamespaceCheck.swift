import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// Namespaces and what wants one: config-linux.md, "Namespaces", "User namespace mappings", "Offset for Time Namespace",
/// "Sysctl", "Network Devices".
extension SpecCheck {
    func checkNamespaces(_ linux: Spec.Linux) throws(SpecError) {
        let namespaces = linux.namespaces ?? []
        for (index, namespace) in namespaces.enumerated() {
            let place = "linux.namespaces[\(index)]"
            for other in namespaces[..<index] where other.type == namespace.type {
                try refuse("\(place).type", "'\(namespace.type.rawValue)' is there twice")
            }
            if let path = namespace.path { try checkFile(path, of: namespace.type, at: "\(place).path") }
        }
        guard spec.has(.mount) else {
            // Other runtimes leave what they mount then on the machine, when the container has long been deleted.
            return try refuse(
                "linux.namespaces", "without 'mount' all that the container mounts would stay mounted on this machine")
        }
        try checkIDMaps(linux)
        if let offsets = linux.timeOffsets, !offsets.isEmpty { try checkTimeOffsets(offsets) }
    }

    /// - Note: ioctl_ns(2), `NS_GET_NSTYPE`.
    private func checkFile(_ path: String, of type: Spec.NamespaceType, at place: String) throws(SpecError) {
        guard Self.isAbsolute(path) else { return try refuse(place, "'\(path)' is not an absolute path") }
        do throws(SystemCallError) {
            let file = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_NONBLOCK)
            defer { file.closeQuietly() }
            if apus_ioctl_int(file.rawValue, APUS_NS_GET_NSTYPE, 0) == Namespaces(type).rawValue { return }
        } catch {
            throw SpecError(path: place, reason: "'\(path)': \(error.errno.reason)")
        }
        try refuse(place, "'\(path)' is not a namespace of type '\(type.rawValue)'")
    }

    private func checkIDMaps(_ linux: Spec.Linux) throws(SpecError) {
        let hasMaps = !(linux.uidMappings ?? []).isEmpty || !(linux.gidMappings ?? []).isEmpty
        guard ownsUserNamespace else {
            if hasMaps { try refuse("linux.uidMappings", "want a user namespace in linux.namespaces") }
            return
        }
        // Podman fills in a map beside the path of a user namespace, which has its own.
        guard spec.makes(.user) else { return }
        if (linux.uidMappings ?? []).isEmpty { try refuse("linux.uidMappings", "missing for a new user namespace") }
        if (linux.gidMappings ?? []).isEmpty { try refuse("linux.gidMappings", "missing for a new user namespace") }
        try checkRanges(linux.uidMappings ?? [], at: "linux.uidMappings")
        try checkRanges(linux.gidMappings ?? [], at: "linux.gidMappings")
    }

    private func checkTimeOffsets(_ offsets: [String: Spec.TimeOffset]) throws(SpecError) {
        guard spec.makes(.time) else {
            return try refuse("linux.timeOffsets", "want a new time namespace in linux.namespaces")
        }
        for (clock, offset) in offsets {
            guard clock == "monotonic" || clock == "boottime" else {
                return try refuse("linux.timeOffsets", "'\(clock)' is not one of its clocks, monotonic and boottime")
            }
            if let nanoseconds = offset.nanosecs, nanoseconds >= 1_000_000_000 {
                try refuse("linux.timeOffsets.\(clock).nanosecs", "\(nanoseconds) is a second or more")
            }
        }
    }

    // MARK: Kernel parameters

    func checkSysctls(_ linux: Spec.Linux) throws(SpecError) {
        guard let parameters = linux.sysctl else { return }
        for name in parameters.keys {
            let path = "linux.sysctl.\(name)"
            let parameter = KernelParameter(name)
            guard parameter.isPath else { return try refuse(path, "not the name of a kernel parameter") }
            if parameter.path == "kernel/hostname" { try refuse(path, "that is what 'hostname' sets") }
            guard let owner = parameter.owner else {
                return try refuse(path, "the whole machine's: it belongs to no namespace of the container")
            }
            guard spec.has(owner) else {
                return try refuse(path, "wants a namespace of type '\(owner.rawValue)' in linux.namespaces")
            }
            if let file = (linux.namespaces ?? []).first(where: { $0.type == owner })?.path, Self.isOwn(file, owner) {
                try refuse(path, "would change the machine itself, whose namespace '\(file)' is")
            }
        }
    }

    /// Whether a namespace is the one that this process is in.
    private static func isOwn(_ path: String, _ type: Spec.NamespaceType) -> Bool {
        let name = type == .network ? "net" : type.rawValue
        var (joined, own) = (stat(), stat())
        // What is not there has been refused before.
        return stat(path, &joined) == 0 && stat("/proc/self/ns/\(name)", &own) == 0 && joined.st_ino == own.st_ino
            && joined.st_dev == own.st_dev
    }

    // MARK: Network devices

    func checkNetDevices(_ linux: Spec.Linux) throws(SpecError) {
        guard let devices = linux.netDevices, !devices.isEmpty else { return }
        guard spec.has(.network) else {
            return try refuse("linux.netDevices", "want a network namespace in linux.namespaces")
        }
        if ownsUserNamespace, !isRoot { try refuse("linux.netDevices", "only root can move network devices") }
        var names: [String] = []
        for (name, device) in devices {
            let inside = device.name.flatMap { $0.isEmpty ? nil : $0 } ?? name
            for text in [name, inside] where !Self.isInterfaceName(text) {
                try refuse("linux.netDevices.\(name)", "'\(text)' is not the name of a network device")
            }
            if names.contains(inside) { try refuse("linux.netDevices.\(name)", "'\(inside)' is there twice") }
            if !inside.hasSuffix("%d") { names.append(inside) }
        }
    }

    /// - Note: the kernel's dev_valid_name(): 1 to 15 bytes.
    private static func isInterfaceName(_ name: String) -> Bool {
        guard (1...15).contains(name.utf8.count), name != ".", name != ".." else { return false }
        return !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ":") || $0 <= 0x20 || $0 == 0x7f }
    }
}
