import Containers
import Images
import Linux

/// Which containers `ps --filter` shows: for each key, those that match one of its values, and every label.
struct ContainerFilter {
    private var values: [Key: [String]] = [:]
    private var names: [Regex<AnyRegexOutput>] = []

    private enum Key: String, CaseIterable {
        case name, id, label, status, exited, health, ancestor, before, since
    }

    init(_ filters: [String]) throws {
        for filter in filters {
            let parts = filter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
            guard parts.count == 2 else {
                throw UsageError("--filter '\(filter)' is not of the form KEY=VALUE", command: "ps")
            }
            guard let key = Key(rawValue: parts[0]) else {
                let known = Key.allCases.map(\.rawValue).joined(separator: ", ")
                throw UsageError("--filter '\(filter)': unknown key; \(known) are known", command: "ps")
            }
            try check(key, parts[1], filter)
            values[key, default: []].append(parts[1])
        }
    }

    private mutating func check(_ key: Key, _ value: String, _ filter: String) throws {
        switch key {
        case .name:
            do {
                names.append(try Regex(value))
            } catch {
                throw UsageError("--filter '\(filter)': not a regular expression", command: "ps")
            }
        case .status where ContainerActivity(rawValue: value) == nil:
            let known = ContainerActivity.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError("--filter '\(filter)': unknown status; \(known) are known", command: "ps")
        case .exited where Int32(value) == nil:
            throw UsageError("--filter '\(filter)': not an exit code", command: "ps")
        case .health where !["starting", "healthy", "unhealthy", "none"].contains(value):
            throw UsageError("--filter '\(filter)': starting, healthy, unhealthy and none are known", command: "ps")
        default: break
        }
    }

    /// Whether it says itself if containers that are not running are wanted.
    var choosesStatus: Bool { values[.status] != nil || values[.exited] != nil }

    func matches(_ row: ContainerRow, in store: ContainerStore) throws -> Bool {
        for (key, wanted) in values where try !matches(key, wanted, row, store) { return false }
        return true
    }

    private func matches(_ key: Key, _ wanted: [String], _ row: ContainerRow, _ store: ContainerStore) throws -> Bool {
        let state = row.state
        switch key {
        // With a slash before the name too, because that is how Docker's own records have it.
        case .name: return names.contains { state.name.contains($0) || "/\(state.name)".contains($0) }
        case .id: return wanted.contains { state.id.hasPrefix($0) }
        case .label: return wanted.allSatisfy { Self.hasLabel($0, state) }
        case .status: return wanted.contains(row.activity.rawValue)
        case .exited:
            guard case .exited(let ending) = state.status else { return false }
            return wanted.contains("\(ending.exitCode)")
        case .health: return wanted.contains(state.health?.status.rawValue ?? "none")
        case .ancestor: return try isMade(state, of: wanted, store)
        case .before: return try wanted.contains { try state.created < store.find($0).loadState().created }
        case .since: return try wanted.contains { try state.created > store.find($0).loadState().created }
        }
    }

    /// By the name it was given, or by an image that is the same one or is below it.
    private func isMade(_ state: ContainerState, of wanted: [String], _ store: ContainerStore) throws -> Bool {
        if wanted.contains(state.image) { return true }
        let container = try store.open(id: state.id)
        defer { container.close() }
        guard let image = try container.loadConfig().root.image else { return false }
        let images = try ImageCommand.openStore(beside: store)
        return wanted.contains { name in
            if name.isEmpty { return false }
            if image.id == name || image.id.dropFirst("sha256:".count).hasPrefix(name) { return true }
            // `try?`: what is no image has no containers
            guard let record = (try? images.find(name)) ?? nil else { return false }
            return record.id.description == image.id
                || (record.layers.last.map { image.layers.contains($0.hex) } ?? false)
        }
    }

    private static func hasLabel(_ wanted: String, _ state: ContainerState) -> Bool {
        let parts = wanted.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard let value = state.labels[parts[0]] else { return false }
        return parts.count == 1 || value == parts[1]
    }
}
