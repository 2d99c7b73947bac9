import Linux
import OCI

/// Properties of a unit, with their values as D-Bus carries them.
struct SystemdProperties {
    private var list: [(name: String, signature: String, value: (inout DBusWriter) -> Void)] = []

    var isEmpty: Bool { list.isEmpty }
    /// In the order in which they are sent.
    var names: [String] { list.map(\.name) }

    init() {}

    mutating func text(_ name: String, _ value: String) { list.append((name, "s", { $0.string(value) })) }
    mutating func flag(_ name: String, _ value: Bool) { list.append((name, "b", { $0.uint32(value ? 1 : 0) })) }
    mutating func number(_ name: String, _ value: UInt64) { list.append((name, "t", { $0.uint64(value) })) }

    mutating func texts(_ name: String, _ values: [String]) {
        list.append((name, "as", { $0.array(alignment: 4) { for value in values { $0.string(value) } } }))
    }

    mutating func numbers(_ name: String, _ values: [UInt32]) {
        list.append((name, "au", { $0.array(alignment: 4) { for value in values { $0.uint32(value) } } }))
    }

    mutating func bytes(_ name: String, _ values: [UInt8]) {
        list.append((name, "ay", { $0.array(alignment: 1) { for value in values { $0.byte(value) } } }))
    }

    mutating func pairs(_ name: String, _ values: [(String, String)]) {
        let write: (inout DBusWriter) -> Void = { writer in
            writer.array(alignment: 8) { writer in
                for (first, second) in values {
                    writer.align(8)
                    writer.string(first)
                    writer.string(second)
                }
            }
        }
        list.append((name, "a(ss)", write))
    }

    mutating func append(_ other: SystemdProperties) { list += other.list }

    /// As `a(sv)`.
    func write(to writer: inout DBusWriter) {
        writer.array(alignment: 8) { writer in
            for (name, signature, value) in list { writer.property(name, signature, value) }
        }
    }

    // MARK: limits

    /// Those of the limits that systemd knows: it would set them back to its own when it reads its configuration anew.
    ///
    /// - Note: systemd.resource-control(5); the same set as runc's.
    init(_ resources: Spec.Resources, _ version: CgroupVersion) {
        if let memory = resources.memory { addMemory(memory, version) }
        if let cpu = resources.cpu { addCPU(cpu, version) }
        if let pids = resources.pids?.limit { number("TasksMax", pids > 0 ? UInt64(pids) : .max) }
        if version == .v1, let weight = resources.blockIO?.weight, weight != 0 {
            number("BlockIOWeight", UInt64(weight))
        }
        if version == .v2 { addUnified(resources.unified ?? [:]) }
    }

    private mutating func addMemory(_ memory: Spec.Memory, _ version: CgroupVersion) {
        func value(_ count: Int64) -> UInt64 { count < 0 ? .max : UInt64(count) }
        let limit = memory.limit ?? 0
        if limit != 0 { number(version == .v2 ? "MemoryMax" : "MemoryLimit", value(limit)) }
        guard version == .v2 else { return }
        if let reservation = memory.reservation, reservation != 0 { number("MemoryLow", value(reservation)) }
        if let swap = memory.swap, swap != 0 {
            if swap < 0 { number("MemorySwapMax", .max) }
            if swap > 0, limit > 0, swap >= limit { number("MemorySwapMax", UInt64(swap - limit)) }
        }
    }

    private mutating func addCPU(_ cpu: Spec.CPU, _ version: CgroupVersion) {
        if let shares = cpu.shares, shares != 0 {
            switch version {
            case .v1: number("CPUShares", shares)
            case .v2: number("CPUWeight", LimitPlan.weight(ofShares: shares))
            }
        }
        addQuota(cpu.quota ?? 0, cpu.period ?? 0)
        guard version == .v2 else { return }
        if let mask = cpu.cpus.flatMap(Self.mask) { bytes("AllowedCPUs", mask) }
        if let mask = cpu.mems.flatMap(Self.mask) { bytes("AllowedMemoryNodes", mask) }
    }

    private mutating func addQuota(_ quota: Int64, _ period: UInt64) {
        if period != 0 { number("CPUQuotaPeriodUSec", period) }
        if quota < 0 { number("CPUQuotaPerSecUSec", .max) }
        guard quota > 0 else { return }
        let (product, overflow) = UInt64(quota).multipliedReportingOverflow(by: 1_000_000)
        guard !overflow else { return number("CPUQuotaPerSecUSec", .max) }
        let perSecond = product / (period == 0 ? 100_000 : period)
        // systemd counts in percent: what is left of one would be lost.
        number("CPUQuotaPerSecUSec", (perSecond + 9_999) / 10_000 * 10_000)
    }

    /// A list such as `0-3,7` as a mask, the lowest byte first; `nil` for what is no list.
    static func mask(_ list: String) -> [UInt8]? {
        var mask: [UInt8] = []
        for part in list.split(separator: ",") {
            let ends = part.split(separator: "-", maxSplits: 1).map { Int($0.drop { $0 == " " }) ?? -1 }
            guard let first = ends.first, let last = ends.last, first >= 0, last >= first, last < 8192 else {
                return nil
            }
            while mask.count <= last / 8 { mask.append(0) }
            for number in first...last { mask[number / 8] |= 1 << UInt8(number % 8) }
        }
        return mask.isEmpty ? nil : mask
    }

    private mutating func addUnified(_ files: [String: String]) {
        let numbers = [
            "memory.max": "MemoryMax", "memory.high": "MemoryHigh", "memory.low": "MemoryLow",
            "memory.min": "MemoryMin", "memory.swap.max": "MemorySwapMax", "pids.max": "TasksMax",
            "cpu.weight": "CPUWeight",
        ]
        for (file, text) in files.sorted(by: { $0.key < $1.key }) {
            if let name = numbers[file] {
                if let value = text == "max" ? .max : UInt64(text) { number(name, value) }
            } else if file == "cpu.max" {
                let halves = text.split(separator: " ")
                let period = halves.count > 1 ? UInt64(halves[1]) ?? 0 : 0
                addQuota(halves.first == "max" ? -1 : halves.first.flatMap { Int64($0) } ?? 0, period)
            } else if file == "cpuset.cpus" || file == "cpuset.mems" {
                guard let mask = Self.mask(text) else { continue }
                bytes(file == "cpuset.cpus" ? "AllowedCPUs" : "AllowedMemoryNodes", mask)
            }
        }
    }

    // MARK: annotations

    private static let prefix = "org.systemd.property."

    /// Adds what annotations such as `org.systemd.property.KillSignal: uint32 9` say.
    ///
    /// - Throws: `Failure` for a name or a value that is none.
    /// - Note: runc, docs/systemd.md, "Auxiliary properties"; GVariant's text format.
    mutating func add(_ annotations: [String: String]) throws(Failure) {
        for (key, text) in annotations.sorted(by: { $0.key < $1.key }) where key.hasPrefix(Self.prefix) {
            var name = String(key.dropFirst(Self.prefix.count))
            guard name.utf8.count >= 3, name.utf8.allSatisfy({ $0 | 0x20 >= 97 && $0 | 0x20 <= 122 }),
                var value = VariantText(text)
            else { throw Failure("create cgroup", "\(key)=\(text)", "not a property of a systemd unit") }
            if name.hasSuffix("Sec") && !name.hasSuffix("USec") {
                guard let microseconds = value.microseconds else {
                    throw Failure("create cgroup", "\(key)=\(text)", "not a number of seconds")
                }
                name = "\(name.dropLast(3))USec"
                value = microseconds
            }
            list.append((name, value.signature, value.write))
        }
    }
}

/// A value in GVariant's text format, as far as properties of units have it.
enum VariantText: Equatable {
    case text(String)
    case flag(Bool)
    case number(signature: String, UInt64)
    case texts([String])

    init?(_ text: String) {
        let text = Self.trimmed(text[...])
        if text == "true" || text == "false" {
            self = .flag(text == "true")
        } else if text.first == "[" && text.last == "]" {
            guard let texts = Self.list(text) else { return nil }
            self = .texts(texts)
        } else if let string = Self.quoted(text) {
            self = .text(string)
        } else if let (signature, number) = Self.typed(text) {
            self = .number(signature: signature, number)
        } else {
            return nil
        }
    }

    private static let types = [
        "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "uint32": "u", "handle": "h", "int64": "x",
        "uint64": "t",
    ]

    /// `uint64 10`; without a type it is an `int32`.
    private static func typed(_ text: Substring) -> (String, UInt64)? {
        let words = text.split(separator: " ")
        guard let last = words.last, words.count <= 2,
            let value = Int64(last).map({ UInt64(bitPattern: $0) }) ?? UInt64(last)
        else { return nil }
        if words.count == 1 { return Int32(last) == nil ? nil : ("i", value) }
        return types[String(words[0])].map { ($0, value) }
    }

    private static func quoted(_ text: Substring) -> String? {
        guard text.utf8.count >= 2, let quote = text.first, quote == "'" || quote == "\"", text.last == quote else {
            return nil
        }
        let inside = text.dropFirst().dropLast()
        return inside.contains(quote) || inside.contains("\\") ? nil : String(inside)
    }

    private static func list(_ text: Substring) -> [String]? {
        let inside = trimmed(text.dropFirst().dropLast())
        if inside.isEmpty { return [] }
        let texts = inside.split(separator: ",").map { quoted(trimmed($0)) }
        return texts.contains(nil) ? nil : texts.compactMap { $0 }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }

    var signature: String {
        switch self {
        case .text: "s"
        case .flag: "b"
        case .number(let signature, _): signature
        case .texts: "as"
        }
    }

    /// A number of seconds as systemd's manager takes it.
    var microseconds: VariantText? {
        guard case .number(_, let seconds) = self, seconds <= .max / 1_000_000 else { return nil }
        return .number(signature: "t", seconds * 1_000_000)
    }

    func write(to writer: inout DBusWriter) {
        switch self {
        case .text(let text): writer.string(text)
        case .flag(let flag): writer.uint32(flag ? 1 : 0)
        case .texts(let texts): writer.array(alignment: 4) { for text in texts { $0.string(text) } }
        case .number(let signature, let number):
            switch signature {
            case "y": writer.byte(UInt8(truncatingIfNeeded: number))
            case "n", "q":
                writer.align(2)
                writer.byte(UInt8(truncatingIfNeeded: number))
                writer.byte(UInt8(truncatingIfNeeded: number >> 8))
            case "i", "u", "h": writer.uint32(UInt32(truncatingIfNeeded: number))
            default: writer.uint64(number)
            }
        }
    }
}
