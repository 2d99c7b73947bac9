import OCI

extension LimitPlan {
    /// - Note: cgroup-v1 blkio-controller.rst, bfq-iosched.rst; cgroup-v2, "IO Interface Files".
    func limits(_ io: Spec.BlockIO) -> [Limit] {
        weights(io) + throttles(io)
    }

    private var controller: Controller { version == .v1 ? .blkio : .io }

    /// `io.weight` of v2 for the weight of v1: 10 to 1000 become 1 to 10000.
    static func ioWeight(ofWeight weight: UInt16) -> Int {
        1 + (Int(Swift.min(Swift.max(weight, 10), 1000)) - 10) * 9999 / 990
    }

    private func weights(_ io: Spec.BlockIO) -> [Limit] {
        var limits: [Limit] = []
        if let weight = io.weight, weight != 0 {
            limits.append(
                weightLimit(
                    "blkio-weight", "\(weight)", weight,
                    version == .v1
                        ? Limit.Write("blkio.bfq.weight", "\(weight)", or: "blkio.weight")
                        : Limit.Write(
                            "io.bfq.weight", "\(weight)", or: "io.weight", "default \(Self.ioWeight(ofWeight: weight))")
                ))
        }
        for device in io.weightDevice ?? [] {
            let number = "\(device.major):\(device.minor)"
            guard let weight = device.weight, weight != 0 else {
                if device.weight == nil && device.leafWeight == nil { limits.append(empty(number)) }
                continue
            }
            limits.append(
                weightLimit(
                    "blkio-weight-device", "\(number) \(weight)", weight,
                    version == .v1
                        ? Limit.Write("blkio.bfq.weight_device", "\(number) \(weight)", or: "blkio.weight_device")
                        : Limit.Write(
                            "io.bfq.weight", "\(number) \(weight)", or: "io.weight",
                            "\(number) \(Self.ioWeight(ofWeight: weight))")))
        }
        return limits + leafWeights(io)
    }

    private func empty(_ number: String) -> Limit {
        Limit(
            name: "blkio-weight-device", asked: number, controller: controller, writes: [],
            impossible: "one of weight and leafWeight must be given")
    }

    private func weightLimit(_ name: String, _ asked: String, _ weight: UInt16, _ write: Limit.Write) -> Limit {
        var limit = Limit(name: name, asked: asked, controller: controller, writes: [write], range: "10 to 1000")
        if !(10...1000).contains(weight) { limit.impossible = "the kernel takes 10 to 1000" }
        return limit
    }

    /// Only the CFQ scheduler had these, which kernels since 5.0 no longer have.
    private func leafWeights(_ io: Spec.BlockIO) -> [Limit] {
        let asked = [io.leafWeight].compactMap { $0 } + (io.weightDevice ?? []).compactMap(\.leafWeight)
        return asked.filter { $0 != 0 }.map {
            Limit(
                name: "blkio-leaf-weight", asked: "\($0)", controller: controller, writes: [],
                impossible: "kernels since 5.0 have no leaf weights")
        }
    }

    private func throttles(_ io: Spec.BlockIO) -> [Limit] {
        let kinds: [(name: String, v1: String, v2: String, devices: [Spec.ThrottleDevice]?)] = [
            ("device-read-bps", "read_bps", "rbps", io.throttleReadBpsDevice),
            ("device-write-bps", "write_bps", "wbps", io.throttleWriteBpsDevice),
            ("device-read-iops", "read_iops", "riops", io.throttleReadIOPSDevice),
            ("device-write-iops", "write_iops", "wiops", io.throttleWriteIOPSDevice),
        ]
        return kinds.flatMap { kind in
            (kind.devices ?? []).map { device in
                let number = "\(device.major):\(device.minor)"
                let rate = version == .v2 && device.rate == 0 ? "max" : "\(device.rate)"
                return Limit(
                    name: kind.name, asked: "\(number) \(device.rate)", controller: controller,
                    writes: [
                        version == .v1
                            ? Limit.Write("blkio.throttle.\(kind.v1)_device", "\(number) \(rate)")
                            : Limit.Write("io.max", "\(number) \(kind.v2)=\(rate)")
                    ],
                    lifts: device.rate == 0, range: "the device must be a whole disk that this machine has")
            }
        }
    }
}

extension CgroupStatistics.IO {
    /// From the v1 hierarchy with `blkio`.
    init?(v1 directory: CgroupDirectory) throws {
        guard let bytes = try directory.readIfThere("blkio.throttle.io_service_bytes_recursive"),
            let operations = try directory.readIfThere("blkio.throttle.io_serviced_recursive")
        else { return nil }
        self.init(
            readBytes: Self.sum(bytes, "Read"), writeBytes: Self.sum(bytes, "Write"),
            readOperations: Self.sum(operations, "Read"), writeOperations: Self.sum(operations, "Write"))
    }

    /// From a cgroup v2 with `io`.
    init?(v2 directory: CgroupDirectory) throws {
        guard let text = try directory.readIfThere("io.stat") else { return nil }
        self.init(v2: text)
    }

    /// Sums lines such as `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`.
    init(v2 text: String) {
        self.init()
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            guard let equals = word.firstIndex(of: "="), let value = UInt64(word[word.index(after: equals)...]) else {
                continue
            }
            switch word[..<equals] {
            case "rbytes": readBytes += value
            case "wbytes": writeBytes += value
            case "rios": readOperations += value
            case "wios": writeOperations += value
            default: break
            }
        }
    }

    /// Sums the lines `MAJOR:MINOR kind number`.
    static func sum(_ text: String, _ kind: String) -> UInt64 {
        text.split(separator: "\n").reduce(0) { sum, line in
            let words = line.split(separator: " ")
            return words.count == 3 && words[1] == kind ? sum + (UInt64(words[2]) ?? 0) : sum
        }
    }
}
