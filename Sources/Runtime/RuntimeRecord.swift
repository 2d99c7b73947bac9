public import Cgroups
public import OCI

/// What is known of a container beside its Spec: `state.json` in its directory.
public struct RuntimeRecord: JSONMappable, Sendable {
    /// Of this form of the record.
    static let currentVersion: UInt32 = 1

    public var schemaVersion: UInt32 = Self.currentVersion
    public var ociVersion = ""
    public var id = ""
    /// Absolute.
    public var bundle = ""
    /// Absolute.
    public var rootfs = ""
    /// Of init, as the runtime sees it; 0 before it is cloned.
    public var pid: Int32 = 0
    /// Of init, in clock ticks since boot: another process may have its number one day.
    public var startTime: UInt64 = 0
    /// RFC 3339, in UTC.
    public var created = ""
    public var annotations: [String: String]?
    /// Where its cgroup is; `nil` without one.
    public var cgroup: CgroupRecord?
    /// Whether its processes stay in the session keyring of whoever starts them.
    public var noNewKeyring: Bool?

    package init() {}

    package mutating func map(_ fields: JSONFields) {
        fields.required("schemaVersion", &schemaVersion)
        fields.required("ociVersion", &ociVersion)
        fields.required("id", &id)
        fields.required("bundle", &bundle)
        fields.required("rootfs", &rootfs)
        fields.required("pid", &pid)
        fields.check("pid", pid >= 0, expected: "a number that is not negative")
        fields.required("startTime", &startTime)
        fields.required("created", &created)
        fields.optional("annotations", &annotations)
        fields.optional("cgroup", &cgroup)
        fields.optional("noNewKeyring", &noNewKeyring)
    }

    /// The state as the specification has it, for hooks.
    public func state(_ status: State.Status) -> State {
        State(
            ociVersion: ociVersion, id: id, status: status, pid: pid == 0 ? nil : pid, bundle: bundle,
            annotations: annotations)
    }
}
