import Linux
public import OCI

/// A `config.json` from somebody else, examined before anything is made for it: every field that could not act here is
/// refused by its name, and what the specification leaves to the runtime is filled in.
///
/// - Note: OCI Runtime Specification, config.md and config-linux.md; runtime.md, "Errors" and "Warnings".
public struct SpecCheck: Sendable {
    /// What the sandbox is to be given: paths of the host are absolute, and what cannot be granted is gone.
    public private(set) var spec: Spec
    /// What the user should know, one line each.
    public private(set) var warnings: [String] = []

    /// Examines a whole configuration.
    ///
    /// - Parameter bundle: The absolute path of the bundle, which relative paths begin from.
    /// - Throws: With the place in the JSON, as in `linux.namespaces[3].path`, and why it cannot be.
    public init(_ spec: Spec, bundle: String) throws(SpecError) {
        self.spec = spec
        try checkVersion()
        try checkRoot(bundle)
        try checkName(spec.hostname, "hostname")
        try checkName(spec.domainname, "domainname")
        guard let process = spec.process else { throw SpecError(path: "process", reason: "missing") }
        self.spec.process = try examine(process, at: "process")
        // Names are what a higher level looks up; on Linux the numbers count.
        self.spec.process?.user.username = nil
        try checkMounts(bundle)
        if let hooks = spec.hooks { try checkHooks(hooks) }
        if let linux = spec.linux {
            try checkNamespaces(linux)
            try checkDevices(linux.devices ?? [])
            try checkSysctls(linux)
            try checkNetDevices(linux)
            try checkPlacement(linux)
            try checkConfinement(linux)
        } else {
            try refuse("linux", "missing: there is nothing that would tell this container from a process of the host")
        }
    }

    /// Examines a process that joins a container.
    ///
    /// - Parameters:
    ///   - spec: The container's own configuration, examined before.
    /// - Returns: The process as the sandbox is to be given it, and what the user should know.
    /// - Throws: With the place in the JSON of the process, as in `user.uid`.
    public static func examine(
        _ process: Spec.Process, joining spec: Spec
    ) throws(SpecError) -> (process: Spec.Process, warnings: [String]) {
        var check = SpecCheck(joining: spec)
        let examined = try check.examine(process, at: "")
        return (examined, check.warnings)
    }

    private init(joining spec: Spec) { self.spec = spec }

    // MARK: The parts of config.md

    private func checkVersion() throws(SpecError) {
        let parts = spec.ociVersion.utf8.split(separator: UInt8(ascii: "."), maxSplits: 2)
        guard parts.count == 3, parts.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0.first ?? 0) })
        else { return try refuse("ociVersion", "'\(spec.ociVersion)' is not a version such as 1.2.0") }
        guard parts[0].elementsEqual("1".utf8) else {
            return try refuse("ociVersion", "\(spec.ociVersion) is not 1.x, which this runtime follows")
        }
    }

    private mutating func checkRoot(_ bundle: String) throws(SpecError) {
        guard let root = spec.root else { return try refuse("root", "missing") }
        guard !root.path.isEmpty else { return try refuse("root.path", "empty") }
        spec.root?.path = Self.absolute(root.path, bundle)
    }

    private func checkName(_ name: String?, _ field: String) throws(SpecError) {
        guard let name, !name.isEmpty else { return }
        guard spec.has(.uts) else { return try refuse(field, "wants a UTS namespace in linux.namespaces") }
        guard name.utf8.count <= 64 else { return try refuse(field, "longer than the kernel's 64 bytes") }
    }

    // MARK: Means

    /// - Throws: Always.
    func refuse(_ path: String, _ reason: String) throws(SpecError) {
        throw SpecError(path: path, reason: reason)
    }

    mutating func warn(_ text: String) { warnings.append(text) }

    mutating func withMounts(_ mounts: [Spec.Mount]) { spec.mounts = mounts }

    static func absolute(_ path: String, _ bundle: String) -> String {
        path.utf8.first == UInt8(ascii: "/") ? path : "\(bundle)/\(path)"
    }

    static func isAbsolute(_ path: String) -> Bool { path.utf8.first == UInt8(ascii: "/") }

    /// Whether the container has IDs of its own: then the machine's root is not its root.
    var ownsUserNamespace: Bool { spec.has(.user) }
}
