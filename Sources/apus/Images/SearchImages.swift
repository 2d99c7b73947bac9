import ArgumentParser
import Formats
import Linux
import Registries

/// `apus search`: find images in registries.
struct SearchImages: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "search", abstract: "Look for images in registries")

    @Option(help: "At most so many, 1 to 100, from each registry") var limit = 25
    @Option(
        name: .shortAndLong, parsing: .singleValue, help: "Show those with stars=NUMBER or more, or is-official=true")
    var filter: [String] = []
    @Flag(name: .customLong("no-trunc"), help: "Show descriptions in full") var noTruncation = false
    @Option(help: "table, json, or a Go template such as '{{.Name}}'") var format: String?
    @Argument(help: "A part of the name, with a registry in front if it is to be that one") var term: String

    private static let listing = Listing(
        titles: [
            "Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS", "IsOfficial": "OFFICIAL",
            "IsAutomated": "AUTOMATED",
        ],
        columns: ["Name", "Description", "StarCount", "IsOfficial"])

    func run() throws {
        guard 1...100 ~= limit else { throw UsageError("--limit \(limit): 1 to 100 can be had", command: "search") }
        let wanted = try filter.map(Self.condition)
        let found = try Search.run(term, limit: limit, options: RegistryOptions())
        let results = found.flatMap(\.results).filter { result in wanted.allSatisfy { $0(result) } }
        Output.write(try Self.listing.render(results.map(value), format: format))
    }

    private static func condition(_ filter: String) throws -> (SearchResult) -> Bool {
        let parts = filter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard parts.count == 2 else {
            throw UsageError("--filter '\(filter)' is not of the form KEY=VALUE", command: "search")
        }
        switch (parts[0], Int(parts[1]), Bool(parts[1])) {
        case ("stars", let stars?, _): return { $0.stars >= stars }
        case ("is-official", _, let official?): return { $0.isOfficial == official }
        case ("is-automated", _, let automated?): return { $0.isAutomated == automated }
        default:
            throw UsageError(
                "--filter '\(filter)': stars=NUMBER, is-official and is-automated are known", command: "search")
        }
    }

    private func value(_ result: SearchResult) -> Value {
        let line = result.description.replacing("\n", with: " ")
        return [
            "Name": .string(result.name),
            "Description": .string(!noTruncation && line.count > 45 ? "\(line.prefix(44))…" : line),
            "StarCount": .string("\(result.stars)"), "IsOfficial": .string(result.isOfficial ? "[OK]" : ""),
            "IsAutomated": .string(result.isAutomated ? "[OK]" : ""),
        ]
    }
}
