import ArgumentParser
import Containers
import Glibc
import Images
import Linux

/// `apus image prune`: remove images that nobody needs.
struct PruneImages: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image prune", abstract: "Remove images without a name that no container is made of")

    @Flag(name: .shortAndLong, help: "Remove also those with a name") var all = false
    @Flag(name: .shortAndLong, help: "Do not ask first") var force = false
    @Option(
        parsing: .singleValue,
        help: "Remove only those made before a time or with a label (until=24h, label=NAME)")
    var filter: [String] = []

    func run() throws {
        let what = all ? "all images without at least one container made of them" : "all images without a name"
        if !force, try !Question.isConfirmed("WARNING! This will remove \(what).") { return }
        try OwnerProcess.enter(
            saying: ["image", "prune", "--force"] + (all ? ["--all"] : []) + filter.flatMap { ["--filter", $0] })
        let containers = try openStore()
        let removed = try Pruning(containers: containers, all: all, filter: filter, command: "image prune").images()
        for line in Pruning.report(removed) { Output.line(line) }
        Output.line("Total reclaimed space: \(ByteSize.decimal(UInt64(clamping: removed.bytes)))")
    }
}

/// `apus system prune`: remove containers that do not run, and images that nobody needs.
struct PruneSystem: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "system prune", abstract: "Remove containers that do not run and images that nobody needs")

    @Flag(name: .shortAndLong, help: "Remove also images with a name, and caches without --filter") var all = false
    @Flag(name: .shortAndLong, help: "Do not ask first") var force = false
    @Option(
        parsing: .singleValue,
        help: "Remove only what was made before a time or has a label (until=24h, label=NAME)")
    var filter: [String] = []

    func run() throws {
        let images = all ? "all images without at least one container made of them" : "all images without a name"
        let warning = """
            WARNING! This will remove:
              - all containers that do not run
              - \(images)\(all ? "\n  - all caches that no job uses" : "")
            """
        if !force, try !Question.isConfirmed(warning) { return }
        try OwnerProcess.enter(
            saying: ["system", "prune", "--force"] + (all ? ["--all"] : []) + filter.flatMap { ["--filter", $0] })
        let pruning = Pruning(containers: try openStore(), all: all, filter: filter, command: "system prune")
        let (ids, bytes) = try pruning.stoppedContainers()
        if !ids.isEmpty { Output.line("Deleted Containers:\n\(ids.joined(separator: "\n"))\n") }
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
}

/// What the two prunes share.
struct Pruning {
    let containers: ContainerStore
    let all: Bool
    let filter: [String]
    let command: String

    /// Removes images that no container is made of.
    func images() throws -> Removed {
        let store = try ImageCommand.openStore(beside: containers)
        let filter = try ImageFilter(filter, keys: ["until", "label"], command: command)
        let used = Set(try containers.imageUses().map(\.image.id))
        // Asked here, since what removes may not throw half-way.
        let unneeded = Set(
            try store.list().filter { record in
                guard all || record.name == nil, !used.contains(record.id.description) else { return false }
                return try filter.matches(record, in: store)
            })
        return try store.prune(where: unneeded.contains) { () throws(Failure) in
            try ImageCommand.layersInUse(containers)
        }
    }

    /// Removes the containers that do not run.
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
        guard case .exited = state.status, try !containers.open(id: state.id).isSupervised() else { return false }
        for text in filter {
            let parts = text.split(separator: "=", maxSplits: 2, omittingEmptySubsequences: false).map { String($0) }
            switch parts.first {
            case "until" where parts.count == 2:
                if try state.created >= Timestamp(parsing: parts[1]) { return false }
            case "label" where parts.count > 1:
                guard let value = state.labels[parts[1]], parts.count == 2 || parts[2] == value else { return false }
            default: throw UsageError("--filter '\(text)': until and label are known", command: command)
            }
        }
        return true
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

/// Asks before something that cannot be undone.
enum Question {
    static func isConfirmed(_ warning: String) throws -> Bool {
        Output.write("\(warning)\nAre you sure you want to continue? [y/N] ")
        try Output.finish()
        let answer = readLine() ?? ""
        return answer == "y" || answer == "Y"
    }
}
