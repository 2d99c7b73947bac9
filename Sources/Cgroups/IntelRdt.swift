import Glibc
public import Linux
public import OCI
import SystemPackage

/// A container's class of service for caches and memory bandwidth, and its monitoring group: directories of resctrl.
///
/// - Note: config-linux.md, "IntelRdt"; the kernel's filesystems/resctrl.rst.
public struct IntelRdtGroup {
    private let wish: Spec.IntelRdt
    private let id: String
    /// Where resctrl is mounted.
    private let root: String

    /// - Parameter id: The container's, which names the groups that are its own.
    /// - Throws: `Failure` naming the field, where resctrl is not mounted or the name of a class is none.
    public init(_ wish: Spec.IntelRdt, id: String) throws(Failure) {
        guard let root = Self.mountPoint() else {
            throw Failure(
                "config.json", "linux.intelRdt", "resctrl is not mounted here",
                remedy: "mount -t resctrl resctrl /sys/fs/resctrl, on a processor that has it")
        }
        try self.init(wish, id: id, root: root)
    }

    init(_ wish: Spec.IntelRdt, id: String, root: String) throws(Failure) {
        self.wish = wish
        self.id = id
        self.root = root
        if let name = wish.closID, name != "/", !CgroupName.isComponent(name) {
            throw Failure("config.json", "linux.intelRdt.closID", "'\(name)' is not the name of a class")
        }
        guard CgroupName.isComponent(id) else { throw Failure("config.json", id, "not the name of a class") }
    }

    private static func mountPoint() -> String? {
        // Without /proc nothing is known to be mounted.
        guard let bytes = FileDescriptor.contentsIfReadable(of: "/proc/self/mounts", limit: 64 << 20) else {
            return nil
        }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 3)
            if fields.count == 4, fields[2].elementsEqual("resctrl".utf8) {
                return String(decoding: fields[1], as: UTF8.self)
            }
        }
        return nil
    }

    // MARK: places

    /// The class's directory; that of the whole machine for `/`.
    var directory: String { wish.closID == "/" ? root : "\(root)/\(wish.closID ?? id)" }

    /// The container's own directory for monitoring.
    var monitoringDirectory: String? {
        wish.enableMonitoring == true || wish.enableCMT == true || wish.enableMBM == true
            ? "\(directory)/mon_groups/\(id)" : nil
    }

    /// What is to stand in the class's `schemata`.
    private var lines: [String] {
        var lines: [String] = []
        for text in [wish.l3CacheSchema, wish.memBwSchema] {
            lines += (text ?? "").split(separator: "\n").map { String($0) }
        }
        return lines + (wish.schemata ?? [])
    }

    // MARK: steps

    /// Makes the groups and joins them with this process, whose children then start in them.
    ///
    /// - Throws: `Failure` for a class by name that is missing while nothing says what it should be, or that is something
    ///   else than what is said.
    public func enter() throws(Failure) {
        do throws(SystemCallError) {
            try check(isNew: make(directory))
            if let monitoringDirectory { _ = try make(monitoringDirectory) }
            try FileDescriptor.workingDirectory.write("\(getpid())", to: "\(monitoringDirectory ?? directory)/tasks")
        } catch {
            removeQuietly()
            throw Failure("enter", "linux.intelRdt", error)
        }
    }

    private func make(_ directory: String) throws(SystemCallError) -> Bool {
        if directory == self.directory, wish.closID != nil, lines.isEmpty {
            _ = try FileDescriptor.workingDirectory.status(of: directory)
            return false
        }
        return try FileDescriptor.workingDirectory.makeDirectory(directory)
    }

    /// Sets up a new class; one that was there may be shared, and is only compared.
    private func check(isNew: Bool) throws(SystemCallError) {
        let file = "\(directory)/schemata"
        guard !lines.isEmpty else { return }
        if isNew || wish.closID == nil {
            for line in lines { try FileDescriptor.workingDirectory.write(line + "\n", to: file) }
            return
        }
        let now = try FileDescriptor.workingDirectory.contents(of: file, limit: 1 << 16)
        let there = Self.domains(String(decoding: now, as: UTF8.self))
        for domain in Self.domains(lines.joined(separator: "\n")) where !there.contains(domain) {
            throw SystemCallError("compare", "'\(domain)' with '\(file)', which is otherwise", .fileExists)
        }
    }

    /// Each domain with its resource: `L3:0=7f0`, without leading zeros and spaces.
    static func domains(_ text: String) -> [String] {
        text.split(separator: "\n").flatMap { line -> [String] in
            let halves = line.split(separator: ":", maxSplits: 1).map { String($0.filter { $0 != " " }) }
            guard halves.count == 2 else { return [] }
            return halves[1].split(separator: ";").map { domain in
                let sides = domain.split(separator: "=", maxSplits: 1)
                let value = (sides.last ?? "").drop { $0 == "0" }
                return "\(halves[0]):\(sides.first ?? "")=\(value.lowercased())"
            }
        }
    }

    /// Changes what the class gets.
    public func update() throws(Failure) {
        do throws(SystemCallError) {
            for line in lines { try FileDescriptor.workingDirectory.write(line + "\n", to: "\(directory)/schemata") }
        } catch {
            throw Failure("update", "linux.intelRdt", error)
        }
    }

    /// Removes the groups that are the container's own.
    public func remove() throws(Failure) {
        do throws(SystemCallError) {
            if let monitoringDirectory { try Self.remove(monitoringDirectory) }
            if wish.closID == nil { try Self.remove(directory) }
        } catch {
            throw Failure("remove", "linux.intelRdt", error)
        }
    }

    private static func remove(_ directory: String) throws(SystemCallError) {
        do throws(SystemCallError) {
            try FileDescriptor.workingDirectory.remove(directory, directory: true)
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
        }
    }

    private func removeQuietly() {
        try? remove()  // `try?`: what failed before is the one to tell
    }
}

extension IntelRdtGroup {
    /// The schemata of the class and of the whole machine, for `events`.
    public func statistics() -> ContainerStatistics.IntelRdt {
        var statistics = ContainerStatistics.IntelRdt()
        (statistics.l3CacheSchemaRoot, statistics.memBwSchemaRoot) = Self.schemata(in: root)
        (statistics.l3CacheSchema, statistics.memBwSchema) = Self.schemata(in: directory)
        return statistics
    }

    private static func schemata(in directory: String) -> (cache: String?, bandwidth: String?) {
        // A class that is gone has none.
        let bytes = FileDescriptor.contentsIfReadable(of: "\(directory)/schemata", limit: 1 << 16) ?? []
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { $0.drop { $0 == " " } }
        return (
            lines.first { $0.hasPrefix("L3") }.map { String($0) },
            lines.first { $0.hasPrefix("MB:") }.map { String($0) }
        )
    }
}
