import Containers
import Glibc
import Linux
import OCI
import Runtime
import SystemPackage

/// `apus-runtime update`: change a container's limits.
enum UpdateContainer {
    static let options: [RuntimeOption] = [
        .value("resources", "r"), .value("blkio-weight"), .value("cpu-period"), .value("cpu-quota"),
        .value("cpu-burst"), .value("cpu-share"), .value("cpu-rt-period"), .value("cpu-rt-runtime"),
        .value("cpuset-cpus"), .value("cpuset-mems"), .value("cpu-idle"), .value("kernel-memory"),
        .value("kernel-memory-tcp"), .value("memory"), .value("memory-reservation"), .value("memory-swap"),
        .value("pids-limit"), .value("l3-cache-schema"), .value("mem-bw-schema"),
    ]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        let container = try globals.store().container(words.id(of: "update"))
        // As in runc a file says it all.
        let resources = try words.value("resources").map(read) ?? flags(words)
        try container.update(
            resources, cacheSchema: words.value("l3-cache-schema"), bandwidthSchema: words.value("mem-bw-schema"))
        return 0
    }

    /// - Parameter path: `-` is standard input.
    private static func read(_ path: String) throws(Failure) -> Spec.Resources {
        let bytes: [UInt8]
        do throws(SystemCallError) {
            bytes =
                try path == "-"
                ? FileDescriptor(rawValue: STDIN_FILENO).readAll(limit: 8 << 20)
                : FileDescriptor.workingDirectory.contents(of: path, limit: 8 << 20)
        } catch {
            throw Failure("read resources", path, error)
        }
        do throws(SpecError) {
            return try Spec.Resources(json: bytes)
        } catch {
            throw Failure("read resources", path, "\(error)")
        }
    }

    private static func flags(_ words: RuntimeWords) throws(Failure) -> Spec.Resources {
        var resources = Spec.Resources()
        let memory = Spec.Memory(
            limit: try size(words, "memory"), reservation: try size(words, "memory-reservation"),
            swap: try size(words, "memory-swap"), kernel: try size(words, "kernel-memory"),
            kernelTCP: try size(words, "kernel-memory-tcp"))
        if memory != Spec.Memory() { resources.memory = memory }
        let cpu = Spec.CPU(
            shares: try number(words, "cpu-share"), quota: try number(words, "cpu-quota"),
            burst: try number(words, "cpu-burst"), period: try number(words, "cpu-period"),
            realtimeRuntime: try number(words, "cpu-rt-runtime"), realtimePeriod: try number(words, "cpu-rt-period"),
            cpus: words.value("cpuset-cpus"), mems: words.value("cpuset-mems"), idle: try number(words, "cpu-idle"))
        if cpu != Spec.CPU() { resources.cpu = cpu }
        if let limit: Int64 = try number(words, "pids-limit") { resources.pids = Spec.Pids(limit: limit) }
        if let weight: UInt16 = try number(words, "blkio-weight") { resources.blockIO = Spec.BlockIO(weight: weight) }
        return resources
    }

    private static func number<Number: FixedWidthInteger>(
        _ words: RuntimeWords, _ name: StaticString
    ) throws(Failure) -> Number? {
        guard let text = words.value(name) else { return nil }
        guard let number = Number(text) else { throw Failure("", "", "invalid value \"\(text)\" for flag -\(name)") }
        return number
    }

    /// Bytes, or with a unit as `64m`; -1 for no limit.
    private static func size(_ words: RuntimeWords, _ name: StaticString) throws(Failure) -> Int64? {
        guard let text = words.value(name) else { return nil }
        do throws(Failure) {
            return try Values.sizeOrUnlimited(text)
        } catch {
            throw Failure("", "", "invalid value \"\(text)\" for flag -\(name): \(error.reason)")
        }
    }
}
