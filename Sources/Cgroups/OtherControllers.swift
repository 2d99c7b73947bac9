import OCI

extension LimitPlan {
    /// Limits both what is used and, where the kernel counts them, what is reserved.
    ///
    /// - Note: cgroup-v1 hugetlb.rst; cgroup-v2, "HugeTLB".
    func hugepageLimits(_ limits: [Spec.HugepageLimit]) -> [Limit] {
        limits.map { page in
            let suffix = version == .v1 ? "limit_in_bytes" : "max"
            var limit = Limit(
                name: "hugepages", asked: "\(page.pageSize) \(Quantity.bytes(Int64(clamping: page.limit)))",
                controller: .hugetlb,
                writes: [
                    Limit.Write("hugetlb.\(page.pageSize).\(suffix)", "\(page.limit)"),
                    Limit.Write(
                        "hugetlb.\(page.pageSize).rsvd.\(suffix)", "\(page.limit)",
                        or: "hugetlb.\(page.pageSize).\(suffix)"),
                ])
            let digits = page.pageSize.prefix { $0.isASCII && $0.isNumber }
            if digits.isEmpty || digits.first == "0"
                || !["KB", "MB", "GB"].contains(page.pageSize.dropFirst(digits.count))
            {
                limit.impossible = "a page size reads like 2MB or 1GB"
            }
            return limit
        }
    }

    /// - Note: cgroup-v1 rdma.rst; cgroup-v2, "RDMA".
    func rdmaLimits(_ devices: [String: Spec.Rdma]) -> [Limit] {
        devices.sorted { $0.key < $1.key }.map { name, rdma in
            var value = name
            if let handles = rdma.hcaHandles { value += " hca_handle=\(handles)" }
            if let objects = rdma.hcaObjects { value += " hca_object=\(objects)" }
            var limit = Limit(
                name: "rdma", asked: value, controller: .rdma, writes: [Limit.Write("rdma.max", value)],
                range: "the device must be an RDMA device that this machine has")
            if value == name { limit.impossible = "one of hcaHandles and hcaObjects must be given" }
            return limit
        }
    }

    /// - Note: cgroup-v1 net_cls.rst, net_prio.rst.
    func limits(_ network: Spec.Network) -> [Limit] {
        var limits: [Limit] = []
        if let classID = network.classID, classID != 0 {
            limits.append(
                Limit(
                    name: "network classID", asked: "\(classID)", controller: .networkClass,
                    writes: [Limit.Write("net_cls.classid", "\(classID)")]))
        }
        for priority in network.priorities ?? [] {
            let value = "\(priority.name) \(priority.priority)"
            limits.append(
                Limit(
                    name: "network priority", asked: value, controller: .networkPriority,
                    writes: [Limit.Write("net_prio.ifpriomap", value)]))
        }
        guard version == .v2 else { return limits }
        return limits.map {
            var limit = $0
            limit.impossible = "cgroup v2 has nothing of the kind, only cgroup v1 does"
            return limit
        }
    }

    /// All rules as one limit: each changes what the ones before it left.
    ///
    /// - Note: cgroup-v1 devices.rst; cgroup-v2, "Device controller".
    func deviceLimits(_ rules: [Spec.DeviceRule]) -> [Limit] {
        guard !rules.isEmpty else { return [] }
        var limit = Limit(
            name: "devices", asked: rules.count == 1 ? "1 rule" : "\(rules.count) rules", controller: .devices,
            writes: [], isAdvisory: true)
        do throws(DeviceEntry.Invalid) {
            try fill(&limit, rules)
        } catch {
            limit.impossible = error.reason
            limit.isAdvisory = false
        }
        return [limit]
    }

    private func fill(_ limit: inout Limit, _ rules: [Spec.DeviceRule]) throws(DeviceEntry.Invalid) {
        var entries: [DeviceEntry] = []
        for rule in rules { entries.append(try DeviceEntry(rule)) }
        guard version == .v1 else {
            limit.program = DeviceProgram(entries)
            return
        }
        entries = DeviceEntry.forV1(entries)
        if let unheeded = DeviceEntry.unheeded(entries) {
            throw DeviceEntry.Invalid(
                "cgroup v1 cannot \(unheeded.allow ? "allow" : "deny") '\(unheeded.text)' alone where an earlier rule "
                    + "\(unheeded.allow ? "denies" : "allows") more at once")
        }
        limit.writes = entries.map { Limit.Write($0.allow ? "devices.allow" : "devices.deny", $0.text) }
    }

    /// Whether to write to `file` would not limit processes but move, stop or end them.
    private static func acts(_ file: String) -> Bool {
        ["cgroup.procs", "cgroup.threads", "cgroup.type", "cgroup.subtree_control", "cgroup.freeze", "cgroup.kill"]
            .contains(file)
    }

    /// Values for v2 files, passed on as they are.
    func unifiedLimits(_ files: [String: String]) -> [Limit] {
        files.sorted { $0.key < $1.key }.map { file, value in
            let controller = Controller(rawValue: String(file.prefix { $0 != "." }))
            // An interface file takes one line at a time.
            let lines = value.split(separator: "\n").map { String($0) }
            var limit = Limit(
                name: "unified", asked: "\(file)=\(value)", controller: controller ?? .misc,
                writes: (lines.isEmpty ? [value] : lines).map { Limit.Write(file, $0) })
            if version == .v1 {
                limit.impossible = "it needs cgroup v2, and here cgroup v1 is in use"
            } else if file.contains("/") || controller == nil || !file.contains(".") || Self.acts(file) {
                limit.impossible = "it names no interface file of a controller"
            }
            return limit
        }
    }
}
