import ArgumentParser
import CLinux
import Containers
import Formats
import Glibc
import Linux

/// `apus stats`: what containers use.
struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Display a live stream of what containers use")

    @Flag(name: .shortAndLong, help: "Show all containers, not only running ones") var all = false
    @Flag(name: .customLong("no-stream"), help: "Show one result and end") var once = false
    @Flag(name: .customLong("no-trunc"), help: "Show IDs in full") var noTruncation = false
    @Option(help: "table, json, or a Go template such as '{{.Name}}'") var format: String?
    @Argument(help: "Names, IDs or unique ID prefixes; all running containers if none") var containers: [String] = []

    func run() throws {
        let store = try openStore()
        try reportingFailure { try show(store) }
    }

    private func show(_ store: ContainerStore) throws {
        var samples = try measure(store).samples
        let screen = isatty(STDOUT_FILENO) == 1 && !once
        repeat {
            sleep(1)  // what the share of the processors is measured over
            let (states, now) = try measure(store)
            let text = try StatsRow.listing.render(
                states.map { row($0, since: samples, now).value }, format: format)
            Output.write(screen ? Self.redrawn(text) : text)
            try Output.finish()
            samples = now
        } while !once
    }

    private func measure(
        _ store: ContainerStore
    ) throws -> (states: [ContainerState], samples: [String: ContainerSample]) {
        let states = try chosen(store)
        var samples: [String: ContainerSample] = [:]
        for state in states {
            let container = try? store.open(id: state.id)  // `try?`: one that was removed meanwhile uses nothing
            defer { container?.close() }
            samples[state.id] = try? container?.sample(state)  // `try?`: as above; a damaged cgroup record shows `--`
        }
        return (states, samples)
    }

    private func chosen(_ store: ContainerStore) throws -> [ContainerState] {
        guard containers.isEmpty else {
            return try containers.map { name in
                let container = try store.find(name)
                defer { container.close() }
                return try container.loadState()
            }
        }
        let states = try all ? store.states().found : store.supervisedStates().found
        return states.filter { all || $0.isRunning }
    }

    private func row(
        _ state: ContainerState, since before: [String: ContainerSample], _ now: [String: ContainerSample]
    ) -> StatsRow {
        let id = noTruncation ? state.id : String(state.id.prefix(12))
        guard state.isRunning else { return StatsRow(id: id, name: state.name, usage: .stopped) }
        let usage = now[state.id].map {
            ContainerUsage($0, since: before[state.id], machineMemory: ContainerUsage.machineMemory)
        }
        return StatsRow(id: id, name: state.name, usage: usage ?? ContainerUsage())
    }

    /// The text in place of what the terminal shows: from its top, each line cleared to its end, and what is below too.
    private static func redrawn(_ text: String) -> String {
        "\u{1b}[H" + text.replacing("\n", with: "\u{1b}[K\n") + "\u{1b}[J"
    }
}

extension ContainerState {
    fileprivate var isRunning: Bool {
        if case .running = status { return true }
        return false
    }
}

/// One container as `stats` shows it.
struct StatsRow {
    let id: String
    let name: String
    let usage: ContainerUsage

    static let listing = Listing(
        titles: [
            "ID": "CONTAINER ID", "Container": "CONTAINER", "Name": "NAME", "CPUPerc": "CPU %",
            "MemUsage": "MEM USAGE / LIMIT", "MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O",
            "PIDs": "PIDS",
        ],
        columns: ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"])

    var value: Value {
        [
            "BlockIO": .string(usage.block), "CPUPerc": .string(usage.cpu), "Container": .string(id),
            "ID": .string(id), "MemPerc": .string(usage.memoryShare), "MemUsage": .string(usage.memory),
            "Name": .string(name), "NetIO": .string(usage.network), "PIDs": .string(usage.processes),
        ]
    }
}
