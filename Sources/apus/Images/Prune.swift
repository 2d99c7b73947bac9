import ArgumentParser
import Containers
import Glibc
import Images
import Linux
import Networks

/// `apus image prune`: remove images that nobody needs.
struct PruneImages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image prune", abstract: "Remove images without a name that no container is made of")

    @Flag(name: .shortAndLong, help: "Remove also those with a name") var all = false
    @Flag(name: .shortAndLong, help: "Do not ask first") var force = false
    @Option(
        parsing: .singleValue,
        help: "Remove only those made before a time, or with or without a label (until=24h, label=NAME, label!=NAME)")
    var filter: [String] = []

    func run() throws {
        var all = all
        var filters: [String] = []
        for text in filter {
            // As Docker: the same as with --all, or without.
            switch text {
            case "dangling=false", "dangling=0": all = true
            case "dangling=true", "dangling=1": all = false
            default: filters.append(text)
            }
        }
        let filter = try PruneFilter(filters, command: "image prune")
        let what = all ? Pruning.unusedImages : Pruning.unnamedImages
        if !force, try !Question.isConfirmed("WARNING! This will remove \(what).") { return }
        try OwnerProcess.enter(
            saying: ["image", "prune", "--force"] + (all ? ["--all"] : []) + filters.flatMap { ["--filter", $0] })
        let removed = try Pruning(containers: try openStore(), all: all, filter: filter).images()
        for line in Pruning.report(removed) { Output.line(line) }
        Output.line("Total reclaimed space: \(ByteSize.decimal(UInt64(clamping: removed.bytes)))")
    }
}

/// `apus system prune`: remove containers that do not run, and networks and images that nobody needs.
struct PruneSystem: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "system prune",
        abstract: "Remove containers that do not run, and networks and images that nobody needs")

    @Flag(name: .shortAndLong, help: "Remove also images with a name, and caches without --filter") var all = false
    @Flag(name: .shortAndLong, help: "Do not ask first") var force = false
    @Flag(help: "Accepted as in Docker; a container's unnamed volumes always go with it") var volumes = false
    @Option(
        parsing: .singleValue,
        help: "Remove only what was made before a time, or has or has not a label (until=24h, label=NAME, label!=NAME)")
    var filter: [String] = []

    func run() throws {
        let condition = try PruneFilter(filter, command: "system prune")
        if !force, try !Question.isConfirmed(warning) { return }
        try OwnerProcess.enter(
            saying: ["system", "prune", "--force"] + (all ? ["--all"] : []) + filter.flatMap { ["--filter", $0] })
        let pruning = Pruning(containers: try openStore(), all: all, filter: condition)
        let (ids, bytes) = try pruning.stoppedContainers()
        if !ids.isEmpty { Output.line("Deleted Containers:\n\(ids.joined(separator: "\n"))\n") }
        let networks = try pruning.networks()
        if !networks.isEmpty { Output.line("Deleted Networks:\n\(networks.joined(separator: "\n"))\n") }
        let removed = try pruning.images()
        for line in Pruning.report(removed) { Output.line(line) }
        var total = UInt64(clamping: removed.bytes) + bytes
        if all, filter.isEmpty {
            let caches = try PruneCaches.prune(CacheStore(pruning.containers)) { _ in true }
            if !caches.names.isEmpty { Output.line("Deleted Caches:\n\(caches.names.joined(separator: "\n"))\n") }
            total += caches.bytes
        }
        Output.line("Total reclaimed space: \(ByteSize.decimal(total))")
    }

    /// What Docker says first, of what is here.
    private var warning: String {
        var items = ["all stopped containers", "all networks not used by at least one container"]
        if volumes { items.append("all anonymous volumes not used by at least one container") }
        items.append(all ? Pruning.unusedImages : Pruning.unnamedImages)
        if all, filter.isEmpty { items.append("all caches that no job uses") }
        let filters =
            filter.isEmpty
            ? [] : ["", "  Items to be pruned will be filtered with:"] + filter.map { "  - \($0)" }
        return (["WARNING! This will remove:"] + items.map { "  - \($0)" } + filters + [""]).joined(separator: "\n")
    }
}

/// What the two prunes share.
struct Pruning {
    static let unusedImages = "all images without at least one container associated to them"
    static let unnamedImages = "all dangling images"

    let containers: ContainerStore
    let all: Bool
    let filter: PruneFilter

    /// Removes images that no container is made of.
    func images() throws -> Removed {
        let store = try ImageCommand.openStore(beside: containers)
        let used = Set(try containers.imageUses().map(\.image.id))
        // Asked here, since what removes may not throw half-way.
        let unneeded = Set(
            try store.list().filter { record in
                guard all || record.name == nil, !used.contains(record.id.description) else { return false }
                return filter.matches(created: record.moment, labels: record.config.labels ?? [:])
            })
        return try store.prune(where: unneeded.contains) { () throws(Failure) in
            try ImageCommand.layersInUse(containers)
        }
    }

    /// Removes the containers that do not run, also those that were never started.
    ///
    /// - Returns: Their IDs, and what they had written, in bytes.
    func stoppedContainers() throws -> (ids: [String], bytes: UInt64) {
        var measurement = SizeMeasurement()
        var result: (ids: [String], bytes: UInt64) = ([], 0)
        for state in try containers.states().found where try isUnneeded(state) {
            let container = try containers.open(id: state.id)
            defer { container.close() }
            let size = try? measurement.size(of: container)  // `try?`: a root that is gone frees nothing
            try containers.remove(container, force: false)
            result.ids.append(state.id)
            result.bytes += size?.layer ?? 0
        }
        return result
    }

    private func isUnneeded(_ state: ContainerState) throws -> Bool {
        switch state.status {
        case .created, .exited: break
        case .running: return false
        }
        guard filter.matches(created: state.created, labels: state.labels) else { return false }
        // One that is being made or started belongs to somebody.
        let container = try containers.open(id: state.id)
        defer { container.close() }
        return try !container.isSupervised()
    }

    /// Removes the networks that users have made and that nobody is in.
    ///
    /// - Returns: Their names.
    func networks() throws -> [String] {
        let store = containers.networks
        var removed: [String] = []
        for network in try store.list().networks where network.name != Network.standardName {
            guard filter.matches(created: .init(nanoseconds: network.created), labels: network.labels),
                try store.members(of: network).isEmpty
            else { continue }
            try store.remove(network)
            removed.append(network.name)
        }
        return removed
    }

    /// As Docker lists what has gone.
    static func report(_ removed: Removed) -> [String] {
        let lines = removed.steps.map { step in
            switch step {
            case .untagged(let name): "untagged: \(name)"
            case .deleted(let digest): "deleted: \(digest)"
            }
        }
        return lines.isEmpty ? [] : ["Deleted Images:"] + lines + [""]
    }
}

/// What `--filter` leaves of what a prune would remove.
struct PruneFilter {
    private var before: [Timestamp] = []
    /// With the value that it must have; `nil` for any.
    private var labels: [(name: String, value: String?)] = []
    private var absentLabels: [(name: String, value: String?)] = []

    init(_ filters: [String], command: String) throws {
        for text in filters {
            let parts = text.split(separator: "=", maxSplits: 2, omittingEmptySubsequences: false).map { String($0) }
            let label = parts.count > 1 ? (name: parts[1], value: parts.count > 2 ? parts[2] : nil) : ("", nil)
            switch (parts[0], parts.count) {
            case ("until", 2): before.append(try Timestamp(parsing: parts[1]))
            case ("label", 2...): labels.append(label)
            case ("label!", 2...): absentLabels.append(label)
            default: throw UsageError("--filter '\(text)': until, label and label! are known", command: command)
            }
        }
    }

    func matches(created: Timestamp, labels own: [String: String]) -> Bool {
        func has(_ label: (name: String, value: String?)) -> Bool {
            own[label.name].map { label.value == nil || $0 == label.value } ?? false
        }
        return before.allSatisfy { created < $0 } && labels.allSatisfy(has) && !absentLabels.contains(where: has)
    }
}

/// Asks before something that cannot be undone.
enum Question {
    static func isConfirmed(_ warning: String) throws -> Bool {
        Output.write("\(warning)\nAre you sure you want to continue? [y/N] ")
        try Output.finish()
        let answer = readLine() ?? ""
        return answer == "y" || answer == "Y"
    }
}
