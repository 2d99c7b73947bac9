import ArgumentParser
import Containers
import Formats
import Glibc
import Linux

/// `apus cache ls`: the caches that jobs share.
struct ListCaches: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache ls", abstract: "List the caches that jobs share ('run --cache')")

    @Flag(name: .shortAndLong, help: "Show the names alone") var quiet = false
    @Option(help: "table, json, or a Go template such as '{{.Name}}'") var format: String?

    private static let listing = Listing(
        titles: ["Name": "NAME", "Mode": "MODE", "Size": "SIZE", "InUse": "IN USE", "LastUsed": "LAST USED"],
        columns: ["Name", "Mode", "Size", "InUse", "LastUsed"])

    func run() throws {
        if quiet, format == nil {
            for name in try CacheStore(ContainerStore()).names() { Output.line(name) }
            return
        }
        try OwnerProcess.enter(saying: ["cache", "ls"] + (format.map { ["--format", $0] } ?? []))
        let store = CacheStore(try ContainerStore())
        var values: [Value] = []
        for name in try store.names() {
            guard let cache = try store.describe(name) else { continue }
            values.append([
                "Name": .string(cache.name), "Mode": .string(cache.isVersioned ? "copy-on-write" : "in place"),
                "Size": .string(ByteSize.decimal(cache.size)), "InUse": .string(cache.isInUse ? "yes" : "no"),
                "LastUsed": .string("\(cache.lastUsed.age) ago"),
            ])
        }
        Output.write(try Self.listing.render(values, format: format))
    }
}

/// `apus cache rm`: remove caches.
struct RemoveCaches: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache rm", abstract: "Remove caches that no job uses just now")

    @Argument(help: "Names of caches") var caches: [String]

    func run() throws {
        try OwnerProcess.enter(saying: ["cache", "rm", "--"] + caches)
        let store = CacheStore(try ContainerStore())
        try forEachReportingFailures(caches) { name in
            try store.remove(name)
            Output.line(name)
        }
    }
}

/// `apus cache prune`: remove all caches that no job uses.
struct PruneCaches: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache prune", abstract: "Remove all caches that no job uses just now")

    @Flag(name: .shortAndLong, help: "Do not ask first") var force = false
    @Option(
        name: .shortAndLong, parsing: .singleValue, help: "Remove only those last used before a time (until=24h)")
    var filter: [String] = []

    func run() throws {
        if !force, try !Question.isConfirmed("WARNING! This will remove all caches that no job uses.") { return }
        try OwnerProcess.enter(
            saying: ["cache", "prune", "--force"] + filter.flatMap { ["--filter", $0] })
        var before: [Timestamp] = []
        for text in filter {
            guard text.hasPrefix("until=") else {
                throw UsageError("--filter '\(text)': until is known", command: "cache prune")
            }
            before.append(try Timestamp(parsing: String(text.dropFirst(6))))
        }
        let (names, bytes) = try Self.prune(CacheStore(ContainerStore())) { cache in
            before.allSatisfy { cache.lastUsed < $0 }
        }
        if !names.isEmpty { Output.line("Deleted Caches:\n\(names.joined(separator: "\n"))\n") }
        Output.line("Total reclaimed space: \(ByteSize.decimal(bytes))")
    }

    /// Removes those that `matches` picks and nobody uses.
    static func prune(
        _ store: CacheStore, _ matches: (CacheStore.Description) -> Bool
    ) throws -> (names: [String], bytes: UInt64) {
        var names: [String] = []
        var bytes: UInt64 = 0
        for name in try store.names() {
            guard let cache = try store.describe(name), !cache.isInUse, matches(cache) else { continue }
            try store.remove(name)
            names.append(name)
            bytes += cache.size
        }
        return (names, bytes)
    }
}
