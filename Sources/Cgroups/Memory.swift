import OCI

extension LimitPlan {
    /// - Note: cgroup-v1 memory.rst; cgroup-v2, "Memory Interface Files".
    func limits(_ memory: Spec.Memory) -> [Limit] {
        let limits = version == .v1 ? limitsV1(memory) : limitsV2(memory)
        return limits + [obsolete(memory), flat(memory)].compactMap { $0 }
    }

    /// The limit of memory and swap together: what was asked, or for a new cgroup with a limit Docker's default, as
    /// much swap as memory. 0 stands for nothing asked, as in runc.
    private func swap(_ memory: Spec.Memory) -> (value: Int64, isDefault: Bool)? {
        if let swap = memory.swap, swap != 0 { return (swap, false) }
        // Without a limit of memory there is none of the sum either, which the kernel would otherwise not exceed.
        if memory.limit == -1, !isNew { return (-1, true) }
        guard isNew, assumesSwap, let limit = memory.limit, limit > 0, limit <= Int64.max / 2 else { return nil }
        return (2 * limit, true)
    }

    private func limitsV1(_ memory: Spec.Memory) -> [Limit] {
        var limits = [
            bytes("memory", memory.limit, "memory.limit_in_bytes"),
            bytes("memory-reservation", memory.reservation, "memory.soft_limit_in_bytes"),
            bytes("kernel-memory-tcp", memory.kernelTCP, "memory.kmem.tcp.limit_in_bytes"),
        ].compactMap { $0 }
        if let (value, isDefault) = swap(memory), var limit = bytes("memory-swap", value, "memory.memsw.limit_in_bytes")
        {
            limit.isDefault = isDefault
            limit.range = "it is memory and swap together, so at least --memory"
            limits.insert(limit, at: Swift.min(1, limits.count))
        }
        if let swappiness = memory.swappiness {
            limits.append(
                Limit(
                    name: "memory-swappiness", asked: "\(swappiness)", controller: .memory,
                    writes: [Limit.Write("memory.swappiness", "\(swappiness)")], range: "0 to 100"))
        }
        if let disabled = memory.disableOOMKiller {
            limits.append(
                Limit(
                    name: "oom-kill-disable", asked: "\(disabled)", controller: .memory,
                    writes: [Limit.Write("memory.oom_control", disabled ? "1" : "0")], lifts: !disabled))
        }
        return limits
    }

    private func limitsV2(_ memory: Spec.Memory) -> [Limit] {
        var limits = [
            bytes("memory", memory.limit, "memory.max"),
            bytes("memory-reservation", memory.reservation, "memory.low"),
            swapV2(memory),
        ].compactMap { $0 }
        if memory.disableOOMKiller == true {
            limits.append(impossible("oom-kill-disable", "true"))
        }
        if let swappiness = memory.swappiness { limits.append(impossible("memory-swappiness", "\(swappiness)")) }
        if let bytes = memory.kernelTCP, bytes > 0 {
            limits.append(impossible("kernel-memory-tcp", Quantity.bytes(bytes)))
        }
        return limits
    }

    /// On v2 swap is limited by itself: what is left of the sum without the memory.
    private func swapV2(_ memory: Spec.Memory) -> Limit? {
        guard let (total, isDefault) = swap(memory) else { return nil }
        var limit = Limit(
            name: "memory-swap", asked: Quantity.bytes(total), controller: .memory, writes: [], lifts: total < 0,
            isDefault: isDefault)
        guard total >= 0 else {
            limit.writes = [Limit.Write("memory.swap.max", "max")]
            return limit
        }
        // An update may change the sum alone: the memory's part is then what the kernel has.
        let part = (memory.limit ?? 0) != 0 ? memory.limit : current("memory.max").flatMap { Int64($0) }
        if let part, part >= 0, part <= total {
            limit.writes = [Limit.Write("memory.swap.max", "\(total - part)")]
        } else {
            limit.impossible =
                part.map { $0 > 0 } == true
                ? "it is memory and swap together, and less than --memory" : "without --memory it limits nothing"
        }
        return limit
    }

    private func obsolete(_ memory: Spec.Memory) -> Limit? {
        guard let kernel = memory.kernel, kernel > 0 else { return nil }
        var limit = impossible("kernel-memory", Quantity.bytes(kernel))
        limit.impossible = "kernels since 5.16 limit kernel memory only as part of --memory"
        return limit
    }

    private func flat(_ memory: Spec.Memory) -> Limit? {
        guard memory.useHierarchy == false else { return nil }
        var limit = impossible("use-hierarchy", "false")
        limit.impossible = "kernels since 5.11 always count what is below"
        return limit
    }

    private func impossible(_ name: String, _ asked: String) -> Limit {
        Limit(
            name: name, asked: asked, controller: .memory, writes: [],
            impossible: "cgroup v2 has nothing of the kind, only cgroup v1 does")
    }

    /// A limit in bytes; `nil` for none asked.
    private func bytes(_ name: String, _ count: Int64?, _ file: String) -> Limit? {
        guard let count, count != 0 else { return nil }
        let unlimited = version == .v1 ? "-1" : file == "memory.low" ? "0" : "max"
        return Limit(
            name: name, asked: Quantity.bytes(count), controller: .memory,
            writes: [Limit.Write(file, count > 0 ? "\(count)" : unlimited)], lifts: count < 0,
            range: name == "memory" && version == .v1 ? "raise --memory-swap with it" : nil)
    }
}

extension CgroupStatistics.Memory {
    /// From a cgroup v1 with the controller.
    init?(v1 directory: CgroupDirectory) throws {
        guard let usage = try directory.readIfThere("memory.usage_in_bytes").flatMap({ UInt64($0) }) else { return nil }
        self.init(usage: usage)
        // The kernel writes "none" as the largest number of whole pages.
        limit = try directory.readIfThere("memory.limit_in_bytes").flatMap { UInt64($0) }
            .flatMap { $0 >= UInt64(Int64.max) & ~0xffff ? nil : $0 }
        peak = try directory.readIfThere("memory.max_usage_in_bytes").flatMap { UInt64($0) }
        swap = try directory.readIfThere("memory.memsw.usage_in_bytes").flatMap { UInt64($0) }
            .map { $0 > usage ? $0 - usage : 0 }
        cache = try directory.readKeyed("memory.stat")["total_inactive_file"] ?? 0
    }

    /// From a cgroup v2 with the controller.
    init?(v2 directory: CgroupDirectory) throws {
        guard let usage = try directory.readIfThere("memory.current").flatMap({ UInt64($0) }) else { return nil }
        self.init(usage: usage)
        limit = try directory.readIfThere("memory.max").flatMap { UInt64($0) }
        peak = try directory.readIfThere("memory.peak").flatMap { UInt64($0) }
        swap = try directory.readIfThere("memory.swap.current").flatMap { UInt64($0) }
        cache = try directory.readKeyed("memory.stat")["inactive_file"] ?? 0
    }
}

extension CgroupDirectory {
    /// Reads a file of lines `name number`; empty where this kernel has none.
    func readKeyed(_ file: String) throws -> [String: UInt64] {
        Self.keyed(try readIfThere(file) ?? "")
    }

    /// One number of such a file, without a table of all; 0 where it is not there.
    func readNumber(_ key: String, in file: String) throws -> UInt64 {
        guard let text = try readIfThere(file) else { return 0 }
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let line = rest.prefix { $0 != UInt8(ascii: "\n") }
            rest = rest[line.endIndex...].dropFirst()
            guard line.starts(with: key.utf8) else { continue }
            let value = line.dropFirst(key.utf8.count)
            if value.first == UInt8(ascii: " ") { return UInt64(Substring(value.dropFirst())) ?? 0 }
        }
        return 0
    }

    static func keyed(_ text: String) -> [String: UInt64] {
        var values: [String: UInt64] = [:]
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "))
            if words.count == 2, let value = UInt64(Substring(words[1])) { values[String(Substring(words[0]))] = value }
        }
        return values
    }
}
