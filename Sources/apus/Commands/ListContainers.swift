import ArgumentParser
import Containers
import Formats
import Linux

/// `apus ps`: list containers.
struct ListContainers: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "List containers", aliases: ["ls", "list"])

    @Flag(name: .shortAndLong, help: "Show all containers, not only running ones") var all = false
    @Flag(name: .shortAndLong, help: "Show the IDs alone") var quiet = false
    @Flag(name: .customLong("no-trunc"), help: "Show IDs and commands in full") var noTruncation = false
    @Flag(name: .shortAndLong, help: "Show what each has written, and the size of all that it sees as its root")
    var size = false
    @Flag(name: .shortAndLong, help: "Show the newest container, running or not") var latest = false
    @Option(name: [.customShort("n"), .long], help: "Show so many of the newest, running or not; -1 for all")
    var last = -1
    @Option(
        name: .shortAndLong, parsing: .singleValue,
        help: "Show those with name, id, label, status, exited, health, ancestor, before or since as given (KEY=VALUE)")
    var filter: [String] = []
    @Option(help: "table, json, or a Go template such as '{{.Names}}'") var format: String?

    func run() throws {
        let store = try openStore()
        let filter = try ContainerFilter(filter)
        let showsAll = all || latest || last >= 0 || filter.choosesStatus
        let states = try showsAll ? store.states() : store.supervisedStates()
        for failure in states.damaged { Report.line("warning: \(failure)") }
        var rows: [ContainerRow] = []
        for state in states.found {
            let row = try ContainerRow(state, in: store, truncated: !noTruncation)
            if showsAll || row.isUp, try filter.matches(row, in: store) { rows.append(row) }
        }
        if latest || last >= 0 { rows = Array(rows.prefix(latest ? 1 : last)) }
        if quiet, format == nil {
            for row in rows { Output.line(row.shownID) }
            return
        }
        if size || format?.contains(".Size") == true { measure(&rows, in: store) }
        if showsConfig { readConfigs(&rows, in: store) }
        Output.write(try ContainerRow.listing(withSize: size).render(rows.map(\.value), format: format))
    }

    /// Whether the format asks for a field of the config, or for all that there is.
    private var showsConfig: Bool {
        guard let format else { return false }
        return format.contains("json") || ContainerRow.configFields.contains { format.contains(".\($0)") }
    }

    private func readConfigs(_ rows: inout [ContainerRow], in store: ContainerStore) {
        for index in rows.indices {
            do throws(Failure) {
                let container = try store.open(id: rows[index].state.id)
                defer { container.close() }
                rows[index].config = try container.loadConfig()
            } catch {
                Report.line("warning: \(error)")
            }
        }
    }

    private func measure(_ rows: inout [ContainerRow], in store: ContainerStore) {
        var measurement = SizeMeasurement()
        for index in rows.indices {
            do throws(Failure) {
                let container = try store.open(id: rows[index].state.id)
                defer { container.close() }
                rows[index].size = try measurement.size(of: container)
            } catch {
                Report.line("warning: \(error)")
            }
        }
    }
}
