public import Linux
public import OCI

/// A container as `state` and `list` print it: the specification's fields, and those that runc adds.
public struct StateReport: JSONMappable, Sendable {
    public var ociVersion = ""
    public var id = ""
    /// Of init; 0 when it has ended.
    public var pid: Int32 = 0
    public var status = State.Status.stopped
    public var bundle = ""
    public var rootfs = ""
    /// RFC 3339, in UTC.
    public var created = ""
    public var annotations: [String: String]?
    /// The name of whoever made it; empty if that has none.
    public var owner = ""

    package init() {}

    package mutating func map(_ fields: JSONFields) {
        fields.required("ociVersion", &ociVersion)
        fields.required("id", &id)
        fields.required("pid", &pid)
        fields.required("status", &status)
        fields.required("bundle", &bundle)
        fields.required("rootfs", &rootfs)
        fields.required("created", &created)
        fields.optional("annotations", &annotations)
        fields.required("owner", &owner)
    }
}

extension RuntimeContainer {
    /// What is true of it now.
    public func report() throws(Failure) -> StateReport {
        let record = try record()
        var report = StateReport()
        report.ociVersion = record.ociVersion
        report.id = id
        report.status = try status(record)
        report.pid = report.status == .stopped ? 0 : record.pid
        report.bundle = record.bundle
        report.rootfs = record.rootfs
        report.created = record.created
        report.annotations = record.annotations
        report.owner = owner()
        return report
    }
}
