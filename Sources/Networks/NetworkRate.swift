import Glibc
public import Linux
public import OCI
public import SystemPackage

/// How much a container may receive and send, in bits per second.
public struct NetworkRate: JSONMappable, Sendable, Equatable {
    public var received: UInt64
    public var sent: UInt64

    package init() { (received, sent) = (1, 1) }

    package mutating func map(_ fields: JSONFields) {
        fields.required("received", &received)
        fields.required("sent", &sent)
    }

    /// Reads `10mbit` for both, or `100mbit:10mbit` for what it receives and what it sends.
    ///
    /// - Throws: A failure whose step is left empty for the flag's name.
    public init(parsing text: String) throws(Failure) {
        let rates = text.parts(between: ":").map(Self.rate)
        guard 1...2 ~= rates.count, let received = rates[0], let sent = rates[rates.count - 1] else {
            throw Failure(
                "", "'\(text)'", "not a rate",
                remedy: "give bits per second such as 10mbit, or RECEIVED:SENT such as 100mbit:10mbit, from 8kbit on")
        }
        (self.received, self.sent) = (received, sent)
    }

    private static func rate(_ text: String) -> UInt64? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let units: [String: UInt64] = [
            "bit": 1, "": 1, "kbit": 1000, "mbit": 1_000_000, "gbit": 1_000_000_000, "k": 1000, "m": 1_000_000,
            "g": 1_000_000_000,
        ]
        guard let number = UInt64(digits), let unit = units[text.dropFirst(digits.count).lowercased()] else {
            return nil
        }
        let (rate, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow || rate < 8000 || rate > 1_000_000_000_000 ? nil : rate
    }
}

extension NetworkStore {
    /// Limits a member: what the machine sends to it, and what it sends.
    public func limit(_ member: NetworkMember, to rate: NetworkRate, namespace: FileDescriptor) throws(Failure) {
        try atBridges { () throws(Failure) in
            do throws(SystemCallError) {
                var here = try LinkSocket()
                defer { here.close() }
                try Self.limit(member.hostInterface, &here, rate.received)
                var inside = try LinkSocket(in: namespace)
                defer { inside.close() }
                try Self.limit(member.interface, &inside, rate.sent)
            } catch {
                throw Failure("--network-rate", "network '\(member.network)'", "\(error)")
            }
        }
    }

    /// Limits what goes through pasta's device, in the container's own namespace, whose rules it has no right to change.
    ///
    /// Only what is sent can wait in a queue: what comes in is led through a second device, which sends it on.
    public static func limitPasta(in place: NetworkPlace, to rate: NetworkRate) throws(Failure) {
        try place.run { () throws(Failure) in
            do throws(SystemCallError) {
                var links = try LinkSocket()
                defer { links.close() }
                try limit(Pasta.device, &links, rate.sent)
                let inward = "rate0"
                try links.change([.makeQueueDevice(inward)])
                try limit(inward, &links, rate.received)
                guard let device = try links.index(of: Pasta.device), let queue = try links.index(of: inward) else {
                    throw SystemCallError("rtnetlink", Pasta.device, Errno(rawValue: ENODEV))
                }
                try links.change(LinkChange.redirectArrivals(at: Pasta.device, index: device, to: queue))
            } catch {
                throw Failure(
                    "--network-rate", "pasta", "\(error)",
                    remedy: "the kernel must have ifb, sch_ingress, sch_tbf, cls_u32 and act_mirred, as distributions' "
                        + "kernels do")
            }
        }
    }

    private static func limit(_ name: String, _ links: inout LinkSocket, _ bits: UInt64) throws(SystemCallError) {
        guard let index = try links.index(of: name) else { return }
        // As much as 10 ms of it at once, but a few packets at least: segments of up to 64 KiB are one to the device.
        let burst = UInt32(clamping: max(bits / 8 / 100, 128 << 10))
        try links.change([.limit(name, index: index, rate: bits / 8, burst: burst)])
    }
}
