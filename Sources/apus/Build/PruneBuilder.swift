import ArgumentParser
import Containers
import Glibc
import Images
import Linux

/// `apus builder prune`: forget steps of builds.
struct PruneBuilder: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "builder prune", abstract: "Forget the steps of builds that no image with a name has")

    @Flag(name: .shortAndLong, help: "Forget all steps") var all = false
    @Flag(name: .shortAndLong, help: "Do not ask first") var force = false
    @Option(parsing: .singleValue, help: "Forget only those that were not used for a time (until=24h)")
    var filter: [String] = []

    func run() throws {
        let what = all ? "all steps of builds" : "all steps of builds that no image has"
        if !force, try !Question.isConfirmed("WARNING! This will forget \(what).") { return }
        var words = ["builder", "prune", "--force"]
        if all { words.append("--all") }
        try OwnerProcess.enter(saying: words + filter.flatMap { ["--filter", $0] })
        let containers = try openStore()
        let removed = try Self.prune(containers, all: all, before: try before())
        for line in removed.lines { Output.line(line) }
        Output.line("Total reclaimed space: \(ByteSize.decimal(UInt64(clamping: removed.bytes)))")
    }

    /// In seconds since 1970.
    private func before() throws -> Int? {
        var result: Int?
        for text in filter {
            let (key, value) = try Assignments.split(text)
            guard key == "until", let value else {
                throw UsageError("--filter '\(text)': until=DURATION is known", command: "builder prune")
            }
            result = time(nil) - Int(try Values.duration(value) / 1_000_000_000)
        }
        return result
    }

    /// - Parameter before: Only steps that were used last before this, in seconds since 1970.
    static func prune(
        _ containers: ContainerStore, all: Bool, before: Int?
    ) throws -> (lines: [String], bytes: Int64) {
        let store = try ImageCommand.openStore(beside: containers)
        let needed = Set(try store.list().flatMap(\.layers))
        var count = 0
        let removed = try store.pruneSteps(
            where: { record, used in
                if let before, used >= before { return false }
                let isNeeded = record.layer.map { needed.contains($0.chain) } ?? !needed.isEmpty
                guard all || !isNeeded else { return false }
                count += 1
                return true
            }, inUse: { () throws(Failure) in try ImageCommand.layersInUse(containers) })
        return (["Steps forgotten: \(count)"], removed.bytes)
    }
}
