import Containers
import Formats
import Glibc
import Networks

/// One container as `ps` shows it.
struct ContainerRow {
    let state: ContainerState
    let activity: ContainerActivity
    /// `nil` when it was not asked for, or cannot be told.
    var size: ContainerSize?
    /// What it was asked for; `nil` when that was not needed, or cannot be read.
    var config: ContainerConfig?
    private let isTruncated: Bool

    init(_ state: ContainerState, in store: ContainerStore, truncated: Bool) throws {
        self.state = state
        activity = try ContainerActivity(state, isSupervised: store.open(id: state.id).isSupervised())
        isTruncated = truncated
    }

    /// Whether `ps` shows it without `-a`.
    var isUp: Bool { [.running, .paused, .restarting].contains(activity) }

    var shownID: String { isTruncated ? String(state.id.prefix(12)) : state.id }

    /// - Parameter withSize: Whether the table has a column for it.
    static func listing(withSize: Bool) -> Listing {
        let columns = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"]
        return Listing(titles: titles, columns: withSize ? columns + ["Size"] : columns)
    }

    private static let titles = [
        "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "CreatedAt": "CREATED AT",
        "RunningFor": "CREATED", "Ports": "PORTS", "State": "STATE", "Status": "STATUS", "Size": "SIZE",
        "Names": "NAMES", "Labels": "LABELS", "Mounts": "MOUNTS", "Networks": "NETWORKS",
        "LocalVolumes": "LOCAL VOLUMES",
    ]

    var value: Value {
        [
            "Command": .string(command), "CreatedAt": .string(state.created.local), "ID": .string(shownID),
            "Image": .string(state.image), "Label": .lookup(state.labels), "Labels": .string(labels),
            "LocalVolumes": .string("\(volumes)"), "Mounts": .string(mounts), "Names": .string(state.name),
            "Networks": .string(networks),
            "Ports": .string(isUp ? PortInspection.list(state.network?.ports ?? [], exposed: []) : ""),
            "RunningFor": .string("\(state.created.age) ago"), "Size": .string(sizeText),
            "State": .string(activity.rawValue),
            "Status": .string(status),
        ]
    }

    /// The names of its networks.
    private var networks: String {
        let names = isUp ? state.network?.members.map(\.network) ?? [] : []
        return names.isEmpty ? config?.network.text ?? "" : names.joined(separator: ",")
    }

    private var labels: String {
        state.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
    }

    /// The fields that are made from its config, which takes another file to read.
    static let configFields = ["LocalVolumes", "Mounts", "Networks"]

    private var volumes: Int { config?.mounts.count { $0.kind == .volume } ?? 0 }

    /// The sources of its bind mounts and the names of its volumes, each shortened to 15 characters as Docker does.
    private var mounts: String {
        let sources = (config?.mounts ?? []).filter { !$0.source.isEmpty }.map(\.source)
        return sources.map { shortened($0, to: 15) }.joined(separator: ",")
    }

    private func shortened(_ text: String, to length: Int) -> String {
        isTruncated && text.count > length ? "\(text.prefix(length - 1))…" : text
    }

    /// The command line in double quotes, shortened to 20 characters as Docker does.
    private var command: String {
        let line = state.command.map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " ")
        return Value.string(shortened(line, to: 20)).json()
    }

    /// What the container has written, and what it sees: `4.1kB (virtual 1.2MB)`.
    private var sizeText: String {
        guard let size else { return "0B" }
        return "\(ByteSize.decimal(size.layer)) (virtual \(ByteSize.decimal(size.root)))"
    }

    /// What `ps` has under STATUS: `Up 5 minutes (healthy)`, `Exited (0) 3 hours ago`.
    var status: String {
        switch state.status {
        case .created: return "Created"
        case .running(let running):
            let health = state.health.map { " (\($0.status == .starting ? "health: starting" : $0.status.rawValue))" }
            return "Up \(running.startedAt.age)\(running.paused ? " (Paused)" : health ?? "")"
        case .exited(let ending):
            let verb = activity == .restarting ? "Restarting" : "Exited"
            return "\(verb) (\(ending.exitCode)) \(ending.finishedAt.age) ago"
        }
    }
}

extension Timestamp {
    /// Docker's words for a moment in the user's own time zone: `2024-05-06 07:08:09 +0200 CEST`.
    var local: String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var fields = tm()
        localtime_r(&seconds, &fields)
        var buffer = [CChar](repeating: 0, count: 64)
        let length = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S %z %Z", &fields)
        return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
