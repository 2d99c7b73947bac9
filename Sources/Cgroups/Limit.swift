import Glibc
import Linux
import OCI
import SystemPackage

/// The kernel's resource controllers, by the names that v1 and v2 have for them.
enum Controller: String, Sendable, CaseIterable {
    case cpu, cpuacct, cpuset, memory, pids, freezer, devices, blkio, io, hugetlb, rdma, misc
    case networkClass = "net_cls"
    case networkPriority = "net_prio"
    case perfEvent = "perf_event"
    case dmem
    /// Not a controller: the files that every cgroup v2 has.
    case core = "cgroup"
    /// Not a controller either: the v1 hierarchy in which systemd keeps its units.
    case systemd
}

/// One limit that a user knows, and the interface files that make it.
struct Limit: Sendable, Equatable {
    /// One value for one interface file.
    struct Write: Sendable, Equatable {
        var file: String
        var value: String
        /// What to write where this kernel does not have `file`.
        var fallbackFile: String?
        var fallbackValue: String?

        init(_ file: String, _ value: String, or fallbackFile: String? = nil, _ fallbackValue: String? = nil) {
            self.file = file
            self.value = value
            self.fallbackFile = fallbackFile
            self.fallbackValue = fallbackValue ?? fallbackFile.map { _ in value }
        }
    }

    /// The option's name: `memory`.
    var name: String
    /// The value for people: `256 MiB`.
    var asked: String
    var controller: Controller
    /// In the order in which they are written.
    var writes: [Write]
    /// The device rules of cgroup v2, which are no file.
    var program: DeviceProgram?
    /// Whether it takes a limit away: a new cgroup has none, so there it needs nothing.
    var lifts = false
    /// Whether it was Docker's default and not a wish, so that a kernel without it changes nothing that was asked.
    var isDefault = false
    /// Whether even a strict policy goes on without it, recording that it is not enforced, where its controller is
    /// missing or cannot be had: the device rules, which without `CAP_MKNOD` and on `nodev` mounts guard nothing more.
    var isAdvisory = false
    /// What the kernel accepts, for the message when it says no more than `EINVAL`.
    var range: String?
    /// Why nothing can be written for it.
    var impossible: String?
}

/// Values the way people read them.
enum Quantity {
    /// `256 MiB`, `1.5 GiB`, `1000 bytes`; -1 is `unlimited`.
    static func bytes(_ count: Int64) -> String {
        guard count >= 0 else { return "unlimited" }
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] as [(String, Int64)] where count >= 1 << shift {
            if count & ((1 << shift) - 1) == 0 { return "\(count >> shift) \(unit)" }
            if count & ((1 << (shift - 1)) - 1) == 0 { return "\(count >> shift).5 \(unit)" }
        }
        return count == 1 ? "1 byte" : "\(count) bytes"
    }

    /// A ratio with at most three decimals: `1.5`.
    static func ratio(_ numerator: Int64, _ denominator: UInt64) -> String {
        let thousandths = Int64((Double(numerator) / Double(Swift.max(denominator, 1)) * 1000).rounded())
        var text = "\(thousandths / 1000)"
        var rest = thousandths % 1000
        guard rest > 0 else { return text }
        text += "."
        for place in [100, 10, 1] as [Int64] where rest > 0 {
            text += "\(rest / place)"
            rest %= place
        }
        return text
    }
}

/// Writes limits and keeps account of what became of each.
struct LimitApplication {
    let policy: LimitsPolicy
    /// What holds the limits that are written.
    let mechanism: LimitMechanism
    /// Why there is no cgroup at all.
    let problem: String?
    /// What would make a missing controller available.
    let remedy: (Controller) -> String
    /// The directory that has a controller's files; throws when there is none to be had.
    let directory: (Controller) throws(SystemCallError) -> CgroupDirectory?
    /// Whether limits that were changed are changed back when a later one fails: a new cgroup is removed instead.
    let isUndoable: Bool
    private(set) var records: [LimitRecord] = []
    /// What the files held that have been written, in this order.
    private var former: [(directory: CgroupDirectory, file: String, text: String)] = []

    init(
        policy: LimitsPolicy, mechanism: LimitMechanism, isUndoable: Bool = false, problem: String? = nil,
        remedy: @escaping (Controller) -> String,
        directory: @escaping (Controller) throws(SystemCallError) -> CgroupDirectory?
    ) {
        self.policy = policy
        self.mechanism = mechanism
        self.isUndoable = isUndoable
        self.problem = problem
        self.remedy = remedy
        self.directory = directory
    }

    /// Applies all limits. One that the kernel refuses as invalid is tried again after the others: a memory limit
    /// above the old limit of memory and swap, say, is valid once that one has been raised.
    mutating func apply(_ limits: [Limit]) throws(Failure) {
        do throws(Failure) {
            try applyEach(limits)
        } catch {
            undo()
            throw error
        }
    }

    private mutating func applyEach(_ limits: [Limit]) throws(Failure) {
        var refused: [Limit] = []
        for limit in limits {
            do throws(SystemCallError) {
                try write(limit)
            } catch  where error.errno == .invalidArgument && limits.count > 1 {
                refused.append(limit)
            } catch {
                try settle(limit, error)
            }
        }
        for limit in refused {
            do throws(SystemCallError) {
                try write(limit)
            } catch {
                try settle(limit, error)
            }
        }
    }

    private mutating func write(_ limit: Limit) throws(SystemCallError) {
        if limit.impossible != nil { throw SystemCallError("limit", limit.name, .notSupported) }
        guard let directory = try directory(limit.controller) else {
            throw SystemCallError("open", "controller \(limit.controller.rawValue)", .noFunction)
        }
        if let program = limit.program { try DeviceFilter.install(program, in: directory) }
        // Device rules are many, and nobody can read what they replace.
        if limit.controller == .devices {
            try writeList(limit.writes, directory)
            return record(limit, enforced: true)
        }
        for write in limit.writes {
            do throws(SystemCallError) {
                try self.write(write.value, to: write.file, in: directory)
            } catch {
                guard error.errno == .noSuchFileOrDirectory, let file = write.fallbackFile else { throw error }
                try self.write(write.fallbackValue ?? write.value, to: file, in: directory)
            }
        }
        record(limit, enforced: true)
    }

    /// Opens each file once for all values that follow one another.
    private func writeList(_ writes: [Limit.Write], _ directory: CgroupDirectory) throws(SystemCallError) {
        var index = 0
        while index < writes.count {
            let file = writes[index].file
            let opened = try directory.open(file, O_WRONLY)
            defer { opened.closeQuietly() }
            while index < writes.count, writes[index].file == file {
                try directory.write(writes[index].value, to: opened, named: file)
                index += 1
            }
        }
    }

    private mutating func write(
        _ value: String, to file: String, in directory: CgroupDirectory
    ) throws(SystemCallError) {
        let text = isUndoable ? try? directory.read(file) : nil  // `try?`: it only takes values
        try directory.write(value, to: file)
        if let text { former.append((directory, file, text)) }
    }

    /// Puts back what was there, newest first, so that each step leads to limits that were valid together before.
    private func undo() {
        for (directory, file, text) in former.reversed() {
            for line in Self.values(of: text, in: file) {
                try? directory.write(line, to: file)  // `try?`: the failure that led here is the one to report
            }
        }
    }

    /// What to write to an interface file so that it reads `text` again: it takes one line at a time.
    static func values(of text: String, in file: String) -> [String] {
        if file == "memory.oom_control" { return [text.hasPrefix("oom_kill_disable 1") ? "1" : "0"] }
        return text.isEmpty ? ["\n"] : text.split(separator: "\n").map { String($0) }
    }

    private mutating func settle(_ limit: Limit, _ error: SystemCallError) throws(Failure) {
        let missing =
            error.errno == .noFunction || error.errno == .noSuchFileOrDirectory
            || limit.program != nil && error.errno == .notPermitted
        if limit.isDefault && missing { return }
        // Without any swap the limit of memory alone already holds memory and swap together.
        if limit.name == "memory-swap" && missing && !Swap.exists { return record(limit, enforced: true) }
        let advisory = limit.isAdvisory && (missing || limit.impossible != nil)
        guard policy == .strict, !advisory else { return record(limit, enforced: false) }
        throw failure(limit, error)
    }

    private mutating func record(_ limit: Limit, enforced: Bool) {
        guard !limit.isDefault else { return }
        records.append(
            LimitRecord(
                limit: limit.name, asked: limit.asked, mechanism: enforced ? mechanism : .none, enforced: enforced))
    }

    private func failure(_ limit: Limit, _ error: SystemCallError) -> Failure {
        let step = "limit \(limit.name)"
        if let reason = limit.impossible {
            return Failure(step, limit.asked, reason, remedy: "leave it out, or use --limits best-effort")
        }
        let controller = limit.controller
        switch error.errno {
        case .noFunction:
            return Failure(
                step, limit.asked,
                problem ?? "no cgroup with the controller '\(controller.rawValue)' can be had here",
                remedy: remedy(controller) + ", or --limits best-effort")
        case .noSuchFileOrDirectory:
            let file = limit.writes.first?.file ?? ""
            return Failure(
                step, limit.asked, "this kernel has no '\(file)'",
                remedy: limit.name == "memory-swap"
                    ? "boot with swapaccount=1, or use --limits best-effort"
                    : "leave it out, or use --limits best-effort")
        case .invalidArgument, .outOfRange,
            .permissionDenied where controller == .cpuset, .noSuchAddressOrDevice where controller == .blkio,
            .operationNotSupportedByDevice where controller == .io:
            return Failure(step, limit.asked, "the kernel refuses it", remedy: limit.range)
        case .resourceBusy where limit.controller == .memory:
            return Failure(step, limit.asked, "more than that is in use and cannot be reclaimed")
        default:
            return Failure(step, limit.asked, error)
        }
    }
}

/// What this machine can swap to.
enum Swap {
    /// Whether there is any; taken for granted where /proc does not tell.
    static var exists: Bool {
        // Without the file nothing is known, and the careful answer is yes.
        guard let bytes = FileDescriptor.contentsIfReadable(of: "/proc/swaps", limit: 1 << 16) else {
            return true
        }
        return bytes.split(separator: UInt8(ascii: "\n")).count > 1
    }
}
